/** Whatever is done to a session, in whatever order, its record follows the protocol. */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { EngineSession, SettingsChange } from "../src/engine/engine";
import { LocalSession } from "../src/engine/session";
import type { SessionEvent } from "../src/record/events";
import { LOUD, MODEL, QUIET, ToyRuntime } from "./engine-toy";

const CHANGES: readonly SettingsChange[] = [
  { context_limit: 60 },
  { context: "reset", context_limit: 50 },
  { context_seconds: 1.2, context: "slide" },
  { max_reply_tokens: 1 },
  { forget_after_reply: true },
  { mask: false, greedy: false, temperature: 3 },
  { system_prompt: "Other." },
  { bias: -20 },
];

const ACTION = fc.oneof(
  { weight: 6, arbitrary: fc.record({ push: fc.integer({ min: 1, max: 20_000 }), loud: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ stopAfter: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.constant({ interrupt: true }) },
  { weight: 1, arbitrary: fc.record({ fail: fc.constantFrom("towerError", "stepError") }) },
  { weight: 2, arbitrary: fc.record({ set: fc.constantFrom(...CHANGES) }) },
  { weight: 1, arbitrary: fc.record({ finish: fc.constantFrom(0, 0.4) }) },
  { weight: 1, arbitrary: fc.record({ fork: fc.double({ min: 0, max: 1, noNaN: true }) }) },
);

it("each chunk has one decision or is unheard, replies end, and the context stays within its limit", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(ACTION, { maxLength: 25 }), fc.nat(9), async (actions, seed) => {
      const runtime = new ToyRuntime();
      let session: EngineSession = LocalSession.open(MODEL, runtime, { seed, context_limit: 70 });
      let stop = Number.POSITIVE_INFINITY;
      let interrupts = false;
      /** Decide all that is pending, without an error or an interrupt. */
      const complete = async () => {
        Object.assign(runtime, { towerError: null, stepError: null });
        [stop, interrupts] = [Number.POSITIVE_INFINITY, false];
        await read(session.runOn());
      };
      const read = async (events: AsyncIterable<SessionEvent>) => {
        let count = 0;
        try {
          for await (const event of events) {
            if (interrupts && event.type === "token") session.interrupt();
            if (count++ === stop) break;
          }
        } catch (error) {
          expect((error as Error).message).toBe("planned");
        }
        [stop, interrupts] = [Number.POSITIVE_INFINITY, false];
      };
      for (const action of actions) {
        if ("push" in action) {
          const sound = action.loud ? LOUD : QUIET;
          const samples = Float32Array.from(
            { length: action.push },
            (_, i) => sound[i % sound.length] as number,
          );
          await read(session.push(samples));
        } else if ("stopAfter" in action) stop = action.stopAfter;
        else if ("interrupt" in action) interrupts = true;
        else if ("fail" in action) runtime[action.fail as "towerError"] = new Error("planned");
        else if ("set" in action) session.set(action.set);
        else if ("finish" in action) await read(session.finish(action.finish));
        else if ("fork" in action) {
          await complete();
          session = await session.fork({ chunk: Math.round(action.fork * session.chunks) });
        }
      }
      await complete();
      expectProtocol(session.record);
      expect(session.record.filter(({ type }) => type === "chunk")).toHaveLength(session.chunks);
      expect(session.pending_s).toBeLessThan(0.4);
    }),
    { numRuns: 60 },
  );
}, 60_000);

function expectProtocol(record: readonly SessionEvent[]): void {
  const of = (type: SessionEvent["type"]) => record.filter((event) => event.type === type);
  const chunks = of("chunk");
  expect(chunks.map(({ chunk }) => chunk)).toEqual(chunks.map((_, index) => index));
  const undecided = new Set(
    record.flatMap((event) => {
      const lost = event.type === "chunk" && event.flags.includes("unheard");
      return lost || (event.type === "notice" && event.kind === "undecided") ? [event.chunk] : [];
    }),
  );
  const decided = of("decision").map(({ chunk }) => chunk);
  expect([...decided, ...undecided].sort((a, b) => a - b)).toEqual(chunks.map(({ chunk }) => chunk));
  expect(of("timing").map(({ chunk }) => chunk)).toEqual(decided);
  const begun = record.filter((event) => event.type === "decision" && event.choice === "TEXT_BEGIN");
  expect(of("turn").map(({ chunk }) => chunk)).toEqual(begun.map(({ chunk }) => chunk));
  for (const event of record) {
    if (event.type === "decision") expect(event.used).toBeLessThanOrEqual(event.limit);
  }
}
