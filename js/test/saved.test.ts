import { describe, expect, it } from "vitest";
import { Conversation } from "../src/conversation";
import { recordOfHistory } from "../src/record/saved";
import { chunk, decision, FakeMicrophone, FakeModel, turn } from "./fakes";

const bytes = (values: number[]) => Buffer.from(Uint8Array.from(values)).toString("base64");

const HISTORY = {
  ...{ version: 1, session: 3, first: 40, count: 9 },
  chunks: {
    chunk: [10, 11],
    clip: [0, 1],
    start_s: [4, 4.4],
    rms_db: [-30, -20.5],
    flags: [["clipped"], []],
    env: bytes([...Array(16).fill(255), ...Array(16).fill(51)]),
    mel: bytes(Array.from({ length: 320 }, (_, i) => i % 256)),
    mel_from: 1,
  },
  decisions: {
    chunk: [10, 11],
    clip: [0, 1],
    token: [2, 1],
    choice: ["KEEP_SILENCE", "TEXT_BEGIN"],
    p_text: [0.125, 0.75],
    p_keep: [0.875, 0.25],
    draw: [null, 0.5],
    position: [33, 46],
    before: [[], [2]],
  },
  rules: [[1, { bias: 0.5, temperature: 0.3 }]],
  timings: { chunk: [10, 11], features_ms: [1, 1.5], tower_ms: [2, 2], decide_ms: [3, 4], reply_ms: [0, 80] },
  tokens: [],
  turns: [turn(0, "Hello.", { chunk: 11, start_s: 4.4 })],
  notices: [{ type: "notice", chunk: 10, kind: "limit", message: "Enough.", data: {} }],
};

describe("a saved history", () => {
  it("is a record again: chunks, what they sounded like, decisions, replies, times", () => {
    const record = recordOfHistory(HISTORY);
    expect(record?.chunks.get(10)).toMatchObject({ start_s: 4, flags: ["clipped"], mel: "" });
    expect(record?.chunks.peak(10, 0)).toBe(1);
    expect(record?.chunks.peak(11, 15)).toBeCloseTo(0.2);
    expect(record?.chunks.get(11)?.mel).toBe(HISTORY.chunks.mel);
    expect(record?.decisions.get(11)).toMatchObject({
      choice: "TEXT_BEGIN",
      p_text: 0.75,
      start_s: 4.4,
      draw: 0.5,
    });
    expect(record?.decisions.get(10)?.rule).toEqual({});
    expect(record?.decisions.get(11)?.rule).toEqual({ bias: 0.5, temperature: 0.3 });
    expect(record?.timings.get(11)).toMatchObject({ decide_ms: 4, reply_ms: 80, seq: -1 });
    expect(record?.turns[0]?.text).toBe("Hello.");
    expect(record?.notices).toHaveLength(1);
    expect(record?.speaking).toBe(false);
  });

  it.each([
    ["nothing", undefined],
    ["an empty trait", {}],
    ["a version not known here", { ...HISTORY, version: 2 }],
    ["no history", "text"],
    ["one without events", { version: 1, chunks: { chunk: [] } }],
  ])("that is %s shows nothing", (_, history) => {
    expect(recordOfHistory(history)).toBeNull();
  });

  it("whose bytes were damaged still shows its numbers", () => {
    const record = recordOfHistory({ ...HISTORY, chunks: { ...HISTORY.chunks, env: "§", mel: 7 } });
    expect(record?.chunks.get(10)?.rms_db).toBe(-30);
    expect(record?.chunks.points(10)).toBe(0);
  });
});

describe("a page with a saved history", () => {
  function open() {
    const model = new FakeModel();
    const model_info = {
      status: "ready",
      name: "tiny",
      detail: "",
      tokens: { PAD: 5 },
      prefix: [[5, "x"]],
      limit: 9,
    };
    model.traits = { history: HISTORY, settings: { bias: 1 }, model_info, state: "listening" };
    const microphone = new FakeMicrophone();
    const conversation = new Conversation(model, { captureHost: microphone.host });
    conversation.start();
    return { model, microphone, conversation, store: conversation.store };
  }

  it("shows it with the microphone off until a kernel answers", async () => {
    const { model, microphone, conversation, store } = open();
    expect(store.saved.value).toBe(true);
    expect(store.record.decided).toBe(2);
    expect(store.settings.value?.bias).toBe(1);
    expect(store.vocabulary.value).toEqual({ tokens: { PAD: 5 }, prefix: [[5, "x"]], limit: 9, block: [] });
    expect(store.shown.value).toBe("stopped");
    await conversation.record();
    await conversation.playFile({} as File, "fast");
    expect(microphone.tracks).toHaveLength(0);
    expect(model.types()).toEqual(["hello"]);
    conversation.end();
  });

  it("asks for all events, as if it held none, and shows the live ones in its place", () => {
    const { model, conversation, store } = open();
    expect(model.of("hello")[0]).toMatchObject({ seen: 0, session: null });
    // Told to another page before this one was welcomed: not yet its own.
    model.events(7, [chunk(3)]);
    expect(store.saved.value).toBe(true);
    model.welcome({ session: 3 });
    expect(store.saved.value).toBe(false);
    expect(store.record.count).toBe(0);
    model.events(0, [chunk(0), decision(0)], { session: 3 });
    expect(store.record.count).toBe(2);
    expect(conversation.ready).toBe(true);
    conversation.end();
  });

  it("is no record of a later session of the same kernel", () => {
    const { model, conversation, store } = open();
    model.welcome({ session: 8 });
    expect(store.record.count).toBe(0);
    expect(store.session).toBe(8);
    conversation.end();
  });
});
