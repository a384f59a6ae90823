/**
 * A recording of Python that is heard again with the embedded checkpoint, and forks of it, compared with Python's
 * events. The graphs are built by `make build/engine-model/manifest.json`, as `make test` does.
 */
import { beforeAll, describe, expect, it } from "vitest";
import type { Recorded } from "../src/engine/engine";
import { pastOf } from "../src/engine/past";
import type { Runtime } from "../src/engine/runtime";
import { scriptOf } from "../src/engine/script";
import { LocalSession } from "../src/engine/session";
import type { Model } from "../src/engine/terms";
import { differsAt } from "../src/page/recorded-difference";
import type { SessionEvent } from "../src/record/events";
import { expectSame, loadTested, PATIENCE_MS } from "./engine-tested";
import { all, LOUD, MODEL, QUIET, ToyRuntime } from "./engine-toy";
import { clip, joined, vectors } from "./engine-vectors";

type Piece = { clip: string; from: number; to: number } | { zeros: number };

interface Rerun {
  audio: Piece[];
  settings: Record<string, unknown>;
  events: SessionEvent[];
  forks: {
    fork: number;
    settings?: object;
    force?: Record<number, "TEXT_BEGIN">;
    audio?: Record<number, number | null>;
    events: SessionEvent[];
  }[];
}

const RERUN = vectors<Rerun>("reruns.json");
const SAMPLES = joined(
  RERUN.audio.map((piece) =>
    "clip" in piece ? clip(piece.clip).slice(piece.from, piece.to) : new Float32Array(piece.zeros),
  ),
);
const RECORDED: Recorded = {
  ...{ settings: RERUN.settings, sessions: 1, events: RERUN.events },
  ...{ samples: SAMPLES, firstChunk: 0 },
};

const timeless = (events: readonly SessionEvent[]) => events.filter(({ type }) => type !== "timing");

/** Events of a fork from its notice on, the last one where a fork was forked. */
function forked(record: readonly SessionEvent[]): SessionEvent[] {
  const events = timeless(record);
  const own = events.filter((event) => event.type === "notice" && event.kind === "fork").at(-1);
  return events.slice(events.indexOf(own as SessionEvent));
}

describe("a recording of Python", () => {
  let model: Model;
  let runtime: Runtime;

  beforeAll(async () => {
    ({ model, runtime } = await loadTested());
  }, PATIENCE_MS);

  it(
    "is repeated: a clip with its own floor, its tail, changed settings and an interrupt",
    async () => {
      const session = LocalSession.rerun(model, runtime, pastOf(RECORDED));
      expect(session.pending_s).toBeCloseTo(SAMPLES.length / 16_000);
      const found = timeless(await all(session.runOn()));
      expect(found).toHaveLength(RERUN.events.length);
      for (const [place, event] of found.entries()) expectSame(event, RERUN.events[place], `event ${place}`);
      expect(session.pending_s).toBe(0);
    },
    PATIENCE_MS,
  );

  it.each(RERUN.forks.map((fork) => [fork.fork, fork] as const))(
    "is forked at chunk %i as Python forks it",
    async (chunk, { events, settings = {}, force = {}, audio = {} }) => {
      const session = LocalSession.rerun(model, runtime, pastOf(RECORDED));
      const fork = await session.fork({ chunk, settings, force, audio });
      // The chunks after the fork's are heard in the fork only.
      expect(session.chunks).toBe(chunk);
      await all(fork.runOn());
      const own = forked(fork.record);
      expect(own).toHaveLength(events.length);
      for (const [place, event] of own.entries()) expectSame(event, events[place], `event ${place}`);
    },
    PATIENCE_MS,
  );

  it(
    "is forked at an earlier chunk after a later one, and the fork is forked",
    async () => {
      const session = LocalSession.rerun(model, runtime, pastOf(RECORDED));
      await session.fork({ chunk: 20 });
      const [, { events }] = RERUN.forks as [unknown, Rerun["forks"][0]];
      const early = await session.fork({ chunk: 2 });
      const fork = await early.fork({ chunk: 4, force: { 4: "TEXT_BEGIN" } });
      await all(fork.runOn());
      const own = forked(fork.record);
      for (const [place, event] of own.entries()) expectSame(event, events[place], `event ${place}`);
    },
    PATIENCE_MS,
  );
});

describe("a recording", () => {
  const TOLD = { settings: { seed: 1 }, sessions: 1, samples: joined([LOUD, QUIET]), firstChunk: 0 };
  const said = (at: number, change: object = {}): SessionEvent =>
    ({ ...RERUN.events[0], chunk: at, floor: "running", flags: [], ...change }) as SessionEvent;
  const recorded = (change: Partial<Recorded> = {}): Recorded => ({
    ...{ ...TOLD, events: [said(0), said(1)] },
    ...change,
  });

  it.each([
    ["no settings", { settings: {} }, "does not say with which settings"],
    ["several sessions", { sessions: 2 }, "several sessions"],
    ["a chunk missing", { events: [said(0), said(2)] }, "lacks chunks"],
    ["no audio", { samples: new Float32Array(0) }, "no audio of chunk 0 (at 0.0 s)"],
    ["audio that ends early", { samples: LOUD }, "no audio of chunk 1 (at 0.4 s)"],
    ["audio that begins late", { firstChunk: 1 }, "no audio of chunk 0"],
    [
      "a context that an interrupt of Python discarded",
      {
        events: [
          said(0),
          { type: "notice", chunk: 0, kind: "context_reset", message: "", data: { why: "interrupted" } },
          said(1),
        ],
      },
      "only Python repeats",
    ],
  ] as const)("with %s is refused with a sentence", (_, change, sentence) => {
    expect(() => pastOf(recorded(change as Partial<Recorded>))).toThrow(sentence);
  });

  it("with damaged features is refused, and so are settings that the model does not have", () => {
    const damaged = pastOf(recorded({ events: [said(0), said(1, { lead: "AAA" })] }));
    expect(() => LocalSession.rerun(MODEL, new ToyRuntime(), damaged)).toThrow("features before chunk 1");
    const foreign = pastOf(recorded({ settings: { volume: 11 } }));
    expect(() => LocalSession.rerun(MODEL, new ToyRuntime(), foreign)).toThrow("no setting 'volume'");
  });

  it("begins anew where its features did not follow the chunk before", async () => {
    const fresh = btoa(String.fromCharCode(...new Uint8Array(new Float64Array([-Infinity]).buffer)));
    const mels = async (lead: string) => {
      const events = [said(0), said(1, { lead })];
      const past = pastOf(recorded({ events, samples: joined([LOUD, LOUD]) }));
      const session = LocalSession.rerun(MODEL, new ToyRuntime(), past);
      const heard = (await all(session.runOn())).filter((event) => event.type === "chunk");
      expect(heard[1]?.lead).toBe(lead);
      return heard.map(({ mel }) => mel);
    };
    const [first, again] = await mels(fresh);
    expect(again).toBe(first);
    const [, followed] = await mels("");
    expect(followed).not.toBe(first);
  });

  it("of no chunk is an empty session", async () => {
    const past = pastOf(recorded({ events: [], samples: new Float32Array(0) }));
    const session = LocalSession.rerun(MODEL, new ToyRuntime(), past);
    expect(await all(session.runOn())).toEqual([]);
    await all(session.push(QUIET));
    expect(session.chunks).toBe(1);
  });

  it("that goes on with new audio is forked there, too", async () => {
    const session = LocalSession.rerun(MODEL, new ToyRuntime(), pastOf(recorded()));
    await all(session.push(LOUD));
    expect(session.chunks).toBe(3);
    const fork = await session.fork({ chunk: 1, audio: { 2: 1 } });
    const turns = (await all(fork.runOn())).filter(({ type }) => type === "turn");
    expect(turns).toEqual([]);
    expect(fork.chunks).toBe(3);
    await expect(session.fork({ chunk: 9 })).rejects.toThrow("from 0 to 3");
  });

  it("leaves settings of the page to the page, and joins those of one chunk", () => {
    const changed = (values: object) =>
      ({
        type: "notice",
        chunk: 1,
        kind: "settings",
        message: "",
        data: { changed: values },
      }) as SessionEvent;
    const told = [changed({ bias: 1 }), changed({ arrival: "drop" }), changed({ greedy: true })];
    expect(scriptOf(told, ["bias", "greedy"]).settings.get(1)).toEqual({ bias: 1, greedy: true });
  });

  it("is compared with what is decided now", () => {
    const decided = RERUN.events.filter(({ type }) => type === "decision" || type === "token");
    expect(differsAt(decided, decided)).toBeNull();
    const at = decided.findIndex(({ type }) => type === "token");
    const other = decided.map((event, i) => (i === at ? { ...event, token: -1 } : event)) as SessionEvent[];
    expect(differsAt(decided, other)).toBe(decided[at]?.chunk);
    expect(differsAt(decided, decided.slice(0, at))).toBeNull();
  });
});
