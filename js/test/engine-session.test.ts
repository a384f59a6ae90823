/** A session's order of events, its interrupts, its errors and its limits, with a scripted model. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { AudioError, NotFiniteError, SessionError, SettingError } from "../src/engine/errors";
import { now } from "../src/engine/loop-state";
import { LocalSession } from "../src/engine/session";
import type { Notice, SessionEvent } from "../src/record/events";
import { all, LOUD, MODEL, QUIET, ToyRuntime } from "./engine-toy";

// The suite shares its cores with other work.
vi.setConfig({ testTimeout: 60_000 });

let runtime: ToyRuntime;
let session: LocalSession;

beforeEach(() => {
  runtime = new ToyRuntime();
  session = LocalSession.open(MODEL, runtime, { greedy: true });
});

const types = (events: readonly SessionEvent[]) => events.map(({ type }) => type);
const kinds = (events: readonly SessionEvent[]) =>
  events.flatMap((event) => (event.type === "notice" ? [event.kind] : []));
const isSilence = (event: SessionEvent): event is Notice =>
  event.type === "notice" && event.kind === "silent_input";
const turns = (events: readonly SessionEvent[]) => events.filter((event) => event.type === "turn");

describe("events", () => {
  it("come in the order perceive, decide, respond", async () => {
    const events = await all(session.push(LOUD));
    expect(types(events)).toEqual(["chunk", "decision", "token", "token", "turn", "timing"]);
    expect(turns(events)[0]).toMatchObject({
      text: "Hi",
      emotion: null,
      ended: "TEXT_END",
      chunk: 0,
      turn: 0,
    });
    expect(session.record).toEqual(events);
  });

  it("are computed as they are read: a reader that stops suspends the loop", async () => {
    const stream = session.push(LOUD);
    expect((await stream.next()).value?.type).toBe("chunk");
    expect(runtime.steps).toBe(0);
    expect((await stream.next()).value?.type).toBe("decision");
    expect(runtime.steps).toBe(1);
    expect(session.speaking).toBe(true);
  });

  it("that are not read are in the record, and the next call completes their steps", async () => {
    for await (const event of session.push(LOUD)) if (event.type === "decision") break;
    const events = await all(session.push(QUIET));
    expect(types(events)).toEqual(["chunk", "decision", "timing"]);
    expect(types(session.record).slice(0, 6)).toEqual([
      "chunk",
      "decision",
      "token",
      "token",
      "turn",
      "timing",
    ]);
  });

  it("belong to the call that brought their audio, also when calls overlap", async () => {
    const first = session.push(LOUD);
    const second = session.push(QUIET);
    const [late, early] = await Promise.all([all(second), all(first)]);
    expect(early.map(({ chunk }) => chunk)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(late.map(({ chunk }) => chunk)).toEqual([1, 1, 1]);
  });

  it("of samples that do not fill a chunk wait for the next call, and finish pads them", async () => {
    expect(await all(session.push(LOUD.subarray(0, 6000)))).toEqual([]);
    expect(session.pending_s).toBeCloseTo(0.375);
    const events = await all(session.finish(0.4));
    expect(events.flatMap((event) => (event.type === "chunk" ? [event.flags] : []))).toEqual([
      ["clipped", "padded"],
      ["tail"],
    ]);
    const [next] = await all(session.push(QUIET));
    expect(next).toMatchObject({ type: "chunk", clip: 1 });
  });
});

describe("interrupts and errors", () => {
  it("an interrupt ends the reply after its current token", async () => {
    const stream = session.push(LOUD);
    const events: SessionEvent[] = [];
    for await (const event of stream) {
      events.push(event);
      if (event.type === "token") session.interrupt();
    }
    expect(turns(events)).toMatchObject([{ ended: "interrupted", text: "H" }]);
    expect(types(await all(session.push(QUIET)))).toEqual(["chunk", "decision", "timing"]);
  });

  it("without a reply an interrupt does nothing", async () => {
    session.interrupt();
    expect(turns(await all(session.push(LOUD)))).toMatchObject([{ ended: "TEXT_END" }]);
  });

  it("a chunk that cannot be perceived is recorded, and the next one is decided", async () => {
    runtime.towerError = new Error("out of memory");
    const stream = session.push(LOUD);
    await expect(stream.next()).rejects.toThrow("out of memory");
    expect(session.record).toMatchObject([
      { type: "chunk", chunk: 0, flags: ["clipped", "unheard"] },
      { type: "notice", kind: "undecided", data: { error: "Error" } },
    ]);
    expect(types(await all(session.push(LOUD)))).toContain("turn");
  });

  it("a failed decision leaves a notice, and a failed token ends the reply", async () => {
    runtime.stepError = new Error("lost");
    await expect(all(session.push(LOUD))).rejects.toThrow("lost");
    expect(kinds(session.record)).toEqual(["undecided"]);
    const stream = session.push(LOUD);
    const failing = async () => {
      for await (const event of stream) if (event.type === "token") runtime.stepError = new Error("lost");
    };
    await expect(failing()).rejects.toThrow("lost");
    expect(turns(session.record)).toMatchObject([{ ended: "error", text: "H", chunk: 1 }]);
    const [, decision] = await all(session.push(QUIET));
    // The last token and TEXT_END are fed, so that the context is as in training.
    expect(decision).toMatchObject({ type: "decision", choice: "KEEP_SILENCE" });
  });

  it("logits that are not finite are an error that names the step", async () => {
    runtime.logit = Number.NaN;
    await expect(all(session.push(LOUD))).rejects.toThrow(NotFiniteError);
    expect(session.record.at(-1)).toMatchObject({ kind: "undecided" });
  });

  it("what is not audio is refused, and nothing of it is heard", () => {
    expect(() => session.push([0, 1] as unknown as Float32Array)).toThrow(AudioError);
    expect(() => session.push(QUIET, 1.5)).toThrow("whole number of samples");
    expect(() => session.push(QUIET, 1000)).toThrow("between 4000 and 384000 Hz, not 1000");
    expect(() => session.push(new Float32Array([9]))).toThrow("the largest sample is 9");
    expect(() => session.finish(-1)).toThrow(SettingError);
    expect(session.pending_s).toBe(0);
  });

  it("a setting that is not allowed is refused, and none is changed", () => {
    expect(() => session.set({ bias: 1, top_p: 2 })).toThrow(
      "top_p must be a number above 0 and at most 1, not 2",
    );
    expect(() => session.set({ loudness: 1 } as object)).toThrow("There is no setting 'loudness'");
    expect(() => session.set({ context_limit: 3 })).toThrow("A context of 3 positions is too short");
    expect(() => session.set({ greedy: 1 } as object)).toThrow("greedy must be True or False, not 1");
    expect(session.settings).toMatchObject({ bias: 0, top_p: null });
    expect(session.set({ temperature: 0.5 })).toMatchObject({ temperature: 0.5, greedy: true });
  });

  it("closing ends a reply, reports dropped audio, and refuses more", async () => {
    for await (const event of session.push(LOUD)) if (event.type === "token") break;
    session.push(QUIET);
    await session.close();
    expect(types(session.record).slice(-3)).toEqual(["turn", "timing", "notice"]);
    expect(session.record.at(-1)).toMatchObject({ kind: "dropped", data: { seconds: 0.4, why: "closed" } });
    expect(() => session.push(QUIET)).toThrow(SessionError);
    const shown = session.record.length;
    await session.close();
    expect(session.record).toHaveLength(shown);
  });
});

describe("audio of a microphone", () => {
  it("is late if its decision begins more than a chunk after its capture; other audio never is", async () => {
    const origin = { stream: 3, seq: 7, arrived_ms: now() - 300, age_ms: 200 };
    const events = [
      ...(await all(session.push(QUIET, 16_000, { ...origin, microphone: true }))),
      ...(await all(session.push(QUIET, 16_000, origin))),
    ];
    const [first, , timing, second] = events;
    expect(first).toMatchObject({ flags: ["late"] });
    expect(timing).toMatchObject({ stream: 3, seq: 7, capture_ms: 200, arrived_ms: origin.arrived_ms });
    expect(timing?.type === "timing" && timing.queue_ms).toBeGreaterThanOrEqual(300 - 50);
    expect(second).toMatchObject({ flags: [] });
  });

  it("that is silent for ten seconds is reported once, and its end as well", async () => {
    for (let chunk = 0; chunk < 30; chunk++) await all(session.push(QUIET));
    await all(session.push(LOUD));
    const told = session.record.filter(isSilence);
    expect(told.map(({ chunk, data }) => [chunk, data.phase])).toEqual([
      [24, "begins"],
      [30, "ends"],
    ]);
  });
});

describe("forks", () => {
  it("share the past, and decide the audio again", async () => {
    await all(session.push(LOUD));
    await all(session.push(QUIET));
    const before = [...session.record];
    const fork = await session.fork({ chunk: 1, force: "TEXT_BEGIN", settings: { bias: 0.5 } });
    expect(fork.record.slice(0, -1)).toEqual(before.slice(0, 6));
    expect(fork.record.at(-1)).toMatchObject({
      kind: "fork",
      chunk: 1,
      data: { force: { 1: "TEXT_BEGIN" } },
    });
    const events = await all(fork.runOn());
    expect(events.find((event) => event.type === "decision")).toMatchObject({
      choice: "TEXT_BEGIN",
      rule: { forced: "TEXT_BEGIN", bias: 0.5 },
    });
    expect(session.record).toEqual(before);
    expect(await all(fork.runOn())).toEqual([]);
  });

  it("repeat interrupts and changed settings", async () => {
    await all(session.push(QUIET));
    session.set({ bias: 0.25 });
    for await (const event of session.push(LOUD)) if (event.type === "token") session.interrupt();
    const fork = await session.fork({ chunk: 0 });
    await all(fork.runOn());
    const same = ({ type }: SessionEvent) => type !== "timing";
    const own = fork.record.filter((event) => event.type !== "notice" || event.kind !== "fork");
    expect(own.filter(same)).toEqual(session.record.filter(same));
  });

  it("are refused where there is no such chunk, decision or audio", async () => {
    await all(session.push(QUIET));
    await expect(session.fork({ chunk: 2 })).rejects.toThrow("from 0 to 1 (1: after all 1 chunks");
    await expect(session.fork({ chunk: 1, force: { 0: "TEXT_BEGIN" } })).rejects.toThrow(
      "fork at 0 or earlier",
    );
    await expect(session.fork({ chunk: 0, audio: { 3: null } })).rejects.toThrow("audio names chunk 3");
    const long = new Float32Array(6401);
    await expect(session.fork({ chunk: 0, audio: { 0: long } })).rejects.toThrow("audio[0] has 6401 samples");
  });

  it("reach ten minutes back: older audio is discarded with a notice", async () => {
    const minutes = new Float32Array(6400 * 1502);
    await all(session.push(minutes));
    const told = session.record.filter(
      (event) => event.type === "notice" && event.kind === "audio_discarded",
    );
    expect(told).toMatchObject([{ chunk: 1500, data: { seconds: 600 } }]);
    expect(await session.audio(1)).toBeNull();
    expect(await session.audio(2)).toHaveLength(6400);
    await expect(session.fork({ chunk: 1 })).rejects.toThrow("out of reach");
    expect((await session.fork({ chunk: 1400 })).record.at(-1)).toMatchObject({ type: "notice" });
  });
});
