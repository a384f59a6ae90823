import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ANSWER_MS, FETCH_MS, NO_ANSWER, NO_SOUND, NOT_KEPT, UNANSWERED } from "../src/channel/requests";
import { Conversation } from "../src/conversation";
import { UNTOLD_LIVE } from "../src/store/settings";
import { FakeMicrophone, FakeModel } from "./fakes";

const LIVE = { ...UNTOLD_LIVE, arrival: "keep" };
const SETTINGS = { greedy: false, temperature: null, bias: 0, top_k: 3 };

function begin() {
  const model = new FakeModel();
  model.traits = { settings: SETTINGS, live: LIVE };
  const conversation = new Conversation(model, { captureHost: new FakeMicrophone().host });
  conversation.start();
  model.welcome();
  const asked = () => model.of("set").map(({ changes }) => changes);
  return { model, conversation, store: conversation.store, asked };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a change of a setting", () => {
  it("is asked for, and holds only when the kernel's trait says so", () => {
    const { model, conversation, store, asked } = begin();
    conversation.set({ temperature: 0.5, arrival: "drop" });
    expect(asked()).toEqual([{ temperature: 0.5, arrival: "drop" }]);
    expect(store.settings.value?.temperature).toBeNull();
    expect(store.live.value.arrival).toBe("keep");
    expect(store.pending.value).toEqual({ temperature: 0.5, arrival: "drop" });
    model.sync("settings", { ...SETTINGS, temperature: 0.5 });
    expect(store.pending.value).toEqual({ arrival: "drop" });
    model.sync("live", { ...LIVE, arrival: "drop" });
    expect(store.pending.value).toEqual({});
    expect(store.live.value.arrival).toBe("drop");
  });

  it("that the kernel refuses shows its sentence, and what held holds", () => {
    const { model, conversation, store } = begin();
    conversation.set({ top_k: 5 });
    conversation.set({ temperature: -1, seed: 3 });
    // The sentence may name any other setting: it is not read.
    const message = "top_k is what it was; this must be a number above 0 and at most 100, not -1.";
    const request = model.of("set").at(-1)?.request;
    model.say({ type: "problem", code: "setting", message, names: ["temperature"], request });
    expect(store.refused.value).toEqual({ temperature: message });
    expect(store.pending.value).toEqual({ top_k: 5 });
    expect(store.problems.value).toEqual([]);
    conversation.set({ temperature: 1 });
    expect(store.refused.value).toEqual({});
  });

  it("that another page asked for and was refused is none of this page's", () => {
    const { model, conversation, store } = begin();
    conversation.set({ seed: 3 });
    const request = (model.of("set")[0]?.request as number) + 1;
    model.say({ type: "problem", code: "setting", message: "seed must be …", names: ["seed"], request });
    expect([store.refused.value, store.problems.value]).toEqual([{}, []]);
    expect(store.pending.value).toEqual({ seed: 3 });
  });

  it("that is refused without a name shows the sentence at all that was asked for", () => {
    const { model, conversation, store } = begin();
    conversation.set({ seed: 3, bias: 1 });
    const request = model.of("set")[0]?.request;
    model.say({ type: "problem", code: "setting", message: "No.", names: [], request });
    expect(store.refused.value).toEqual({ seed: "No.", bias: "No." });
    expect(store.pending.value).toEqual({});
  });

  it("of another page that was refused is a separate problem", () => {
    const { model, store } = begin();
    model.say({ type: "problem", code: "setting", message: "seed must be …", detail: "", page: "" });
    expect(store.problems.value[0]).toMatchObject({ code: "setting", sentence: "seed must be …" });
  });

  it("is asked for one at a time; of a moved slider only the newest place follows", () => {
    const { model, conversation, store, asked } = begin();
    for (const bias of [0.1, 0.2, 0.3]) conversation.set({ bias });
    expect(asked()).toEqual([{ bias: 0.1 }]);
    expect(store.pending.value).toEqual({ bias: 0.3 });
    model.sync("settings", { ...SETTINGS, bias: 0.1 });
    expect(asked()).toEqual([{ bias: 0.1 }, { bias: 0.3 }]);
    model.sync("settings", { ...SETTINGS, bias: 0.3 });
    expect(store.pending.value).toEqual({});
  });

  it("to what already holds is not asked for", () => {
    const { conversation, store, asked } = begin();
    conversation.set({ bias: 0, arrival: "keep" });
    expect(asked()).toEqual([]);
    expect(store.pending.value).toEqual({});
  });

  it("without an answer shows a sentence, and its late refusal is still attributed to it", () => {
    const { model, conversation, store } = begin();
    conversation.set({ bias: 2000 });
    vi.advanceTimersByTime(ANSWER_MS - 1);
    expect(store.pending.value).toEqual({ bias: 2000 });
    vi.advanceTimersByTime(1);
    expect(store.pending.value).toEqual({});
    expect(store.refused.value).toEqual({ bias: UNANSWERED });
    const message = "bias must be a number of at least -1000 and at most 1000, not 2000.";
    const request = model.of("set")[0]?.request;
    model.say({ type: "problem", code: "setting", message, names: ["bias"], request });
    expect(store.refused.value).toEqual({ bias: message });
    expect(store.problems.value).toEqual([]);
  });

  it("that is answered late is no longer said to be unanswered", () => {
    const { model, conversation, store } = begin();
    conversation.set({ bias: 1 });
    vi.advanceTimersByTime(ANSWER_MS);
    // A worker may go on counting while a cell keeps the kernel from answering.
    model.sync("counters", { lag_s: 3 });
    expect(store.refused.value).toEqual({ bias: UNANSWERED });
    model.sync("settings", { ...SETTINGS, bias: 1 });
    expect(store.refused.value).toEqual({});
    expect(store.settings.value?.bias).toBe(1);
  });

  it("is given up when the kernel is lost", () => {
    const { model, conversation, store } = begin();
    conversation.set({ bias: 1 });
    model.emit("comm:close");
    expect(store.pending.value).toEqual({});
  });
});

describe("the sound of a chunk", () => {
  const view = (...values: number[]) => {
    // Somewhere within a larger buffer, as hosts hand them over.
    const bytes = new ArrayBuffer(64);
    const data = new DataView(bytes, 8, values.length * 2);
    for (const [i, value] of values.entries()) data.setInt16(i * 2, value, true);
    return data;
  };

  const answer = (model: FakeModel, nth: number, buffers: unknown[], more: object = {}) => {
    const { chunk, request } = model.of("fetch")[nth] as Record<string, unknown>;
    model.say({ type: "audio", chunk, request, rate: 16_000, format: "int16", ok: true, ...more }, buffers);
  };
  const HALF = { sound: { rate: 16_000, samples: new Float32Array([-1, 0.5]) } };

  it("comes to the request it answers, in whatever order", async () => {
    const { model, conversation } = begin();
    const [first, second] = [conversation.fetchAudio(3), conversation.fetchAudio(3)];
    answer(model, 1, [view(8192)]);
    answer(model, 0, [view(-32768, 16384)]);
    expect(await first).toEqual(HALF);
    expect(await second).toEqual({ sound: { rate: 16_000, samples: new Float32Array([0.25]) } });
    // Once more, and one of no request: it is ignored.
    answer(model, 0, [view(1)]);
    model.say({ type: "audio", chunk: 3, rate: 16_000, ok: true }, [view(1)]);
  });

  it.each([
    ["DataView", (data: DataView) => data],
    ["Uint8Array", (data: DataView) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)],
    ["Int16Array", (data: DataView) => new Int16Array(data.buffer, data.byteOffset, data.byteLength / 2)],
    ["Node's Buffer", (data: DataView) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)],
    [
      "ArrayBuffer",
      (data: DataView) => data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength),
    ],
  ])("may come as a %s, wherever it begins", async (_, wrap) => {
    const { model, conversation } = begin();
    const asked = conversation.fetchAudio(0);
    answer(model, 0, [wrap(view(-32768, 16384))]);
    expect(await asked).toEqual(HALF);
  });

  it("may come as base64", async () => {
    const { model, conversation } = begin();
    const asked = conversation.fetchAudio(0);
    const data = Buffer.from(new Int16Array([-32768, 16384]).buffer).toString("base64");
    answer(model, 0, [], { data });
    expect(await asked).toEqual(HALF);
  });

  it.each([
    ["nothing", [], {}],
    ["something else", ["sound"], {}],
    ["no base64", [], { data: "***" }],
    ["no rate", [new Uint8Array(2)], { rate: "fast" }],
  ])("that is %s is told at once", async (_, buffers, more) => {
    const { model, conversation } = begin();
    const asked = conversation.fetchAudio(0);
    answer(model, 0, buffers, more);
    expect(await asked).toBe(NO_SOUND);
  });

  it("has a sentence where the kernel keeps it no longer, does not answer in 10 s, or is gone", async () => {
    const { model, conversation } = begin();
    const gone = conversation.fetchAudio(1);
    answer(model, 0, [], { ok: false });
    expect(await gone).toBe(NOT_KEPT);
    const silent = conversation.fetchAudio(2);
    vi.advanceTimersByTime(FETCH_MS);
    expect(await silent).toBe(NO_ANSWER);
    const lost = conversation.fetchAudio(4);
    model.emit("comm:close");
    expect(await lost).toMatchObject({ why: expect.stringContaining("kernel is gone") });
    expect(await conversation.fetchAudio(5)).toBe(NOT_KEPT);
  });
});

describe("the loop", () => {
  it("is asked to hold and to step, and shown as the kernel tells", () => {
    const { model, conversation, store } = begin();
    conversation.loop("step");
    conversation.step();
    expect(model.types().slice(-2)).toEqual(["loop", "step"]);
    expect(store.loop.value.mode).toBe("run");
    model.say({ type: "loop", mode: "step", phase: "perceive", chunk: 4, waiting: 2 });
    expect(store.loop.value).toEqual({ mode: "step", phase: "perceive", chunk: 4, waiting: 2 });
    model.sync("loop", { mode: "run", phase: "", chunk: 4 });
    expect(store.loop.value).toEqual({ mode: "run", phase: "", chunk: 4, waiting: 0 });
  });
});
