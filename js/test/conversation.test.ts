import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Conversation } from "../src/conversation";
import type { SessionEvent } from "../src/record/events";
import { chunk, decision, FakeMicrophone, FakeModel, token, turn } from "./fakes";

function begin() {
  const model = new FakeModel();
  const microphone = new FakeMicrophone();
  const conversation = new Conversation(model, { captureHost: microphone.host });
  conversation.start();
  return { model, microphone, conversation, store: conversation.store };
}

async function recording() {
  const begun = begin();
  begun.model.welcome();
  await begun.conversation.record();
  begun.microphone.hear();
  return begun;
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("recording", () => {
  it("opens a stream with the first block, numbers blocks and closes with their count", async () => {
    const { model, microphone, conversation, store } = await recording();
    expect(store.shown.value).toBe("listening");
    microphone.hear(new Float32Array(4800), 0.1);
    microphone.partial = new Float32Array(100);
    await conversation.stop();
    expect(model.of("open")[0]).toMatchObject({
      stream: 1,
      source: "mic",
      name: "Desk microphone",
      rate: 48_000,
    });
    expect(model.of("block").map(({ seq }) => seq)).toEqual([0, 1, 2]);
    expect(model.of("close")).toMatchObject([{ type: "close", stream: 1, blocks: 3, reason: "stopped" }]);
    expect(model.types().at(-1)).toBe("close");
    expect(store.shown.value).toBe("stopped");
  });

  it("says listening only once sound arrives, and tells the kernel each state", async () => {
    const { model, microphone, conversation, store } = begin();
    model.welcome();
    await conversation.record();
    expect(store.shown.value).toBe("asking");
    microphone.hear();
    microphone.hear();
    await conversation.stop();
    expect(model.of("state").map(({ state }) => state)).toEqual(["asking", "listening", "stopped"]);
  });

  it("counts streams up", async () => {
    const { model, microphone, conversation } = await recording();
    await conversation.stop();
    await conversation.record();
    microphone.hear();
    expect(model.of("open").map(({ stream }) => stream)).toEqual([1, 2]);
    expect(model.of("block").at(-1)).toMatchObject({ stream: 2, seq: 0 });
  });

  it("closes a stream whose only block came with the flush", async () => {
    const { model, microphone, conversation } = begin();
    model.welcome();
    await conversation.record();
    microphone.partial = new Float32Array(50);
    await conversation.stop();
    expect(model.types().slice(-3)).toEqual(["open", "block", "close"]);
  });

  it("shows a problem and reports it", async () => {
    const { model, microphone, conversation, store } = begin();
    microphone.secure = false;
    model.welcome();
    await conversation.record();
    expect(store.shown.value).toBe("error");
    expect(store.problems.value.map(({ code }) => code)).toEqual(["insecure_origin"]);
    expect(model.of("state").at(-1)).toMatchObject({ state: "error", problem: "insecure_origin" });
    expect(String(model.of("state").at(-1)?.message).length).toBeLessThanOrEqual(500);
    microphone.secure = true;
    await conversation.record();
    expect(store.problems.value).toEqual([]);
  });

  it("closes the stream when the device is unplugged", async () => {
    const { model, microphone, store } = await recording();
    microphone.tracks[0]?.unplug();
    await vi.waitFor(() => expect(model.of("close")[0]).toMatchObject({ reason: "track_ended" }));
    expect(store.mic.value.phase).toBe("error");
  });
});

describe("a very long session", () => {
  it("is told from one of its newest chunks on, and events are counted from there", async () => {
    const model = new FakeModel();
    const conversation = new Conversation(model);
    conversation.start();
    model.welcome({ first: 20_000 });
    model.events(20_000, [chunk(7000), decision(7000)]);
    const { record } = conversation.store;
    expect([record.count, record.chunks.get(7000)?.chunk, record.decided]).toEqual([20_002, 7000, 1]);
    model.events(20_002, [chunk(7001)]);
    expect(model.of("hello")).toHaveLength(1);
    conversation.end();
  });
});

describe("the microphone is never left on", () => {
  it("when the last view is gone", async () => {
    const { model, microphone, conversation } = await recording();
    conversation.attachView();
    conversation.attachView();
    conversation.detachView();
    vi.advanceTimersByTime(1000);
    expect(microphone.live()).toBe(1);
    conversation.detachView();
    vi.advanceTimersByTime(1000);
    expect(microphone.live()).toBe(0);
    expect(model.of("close")[0]).toMatchObject({ reason: "view_removed", blocks: 1 });
  });

  it("but stays on while a view merely moves", async () => {
    const { microphone, conversation } = await recording();
    conversation.attachView();
    conversation.detachView();
    vi.advanceTimersByTime(50);
    conversation.attachView();
    vi.advanceTimersByTime(1000);
    expect(microphone.live()).toBe(1);
  });

  it("when sending throws", async () => {
    const { model, microphone, store } = await recording();
    model.gone = true;
    microphone.hear();
    expect(microphone.live()).toBe(0);
    expect(store.shown.value).toBe("error");
    expect(store.problems.value[0]?.sentence).toMatch(/kernel was restarted or is gone/);
  });

  it.each(["comm:close", "comm_live_update"])("when the host says %s", async (event) => {
    const { model, microphone } = await recording();
    model.emit(event);
    expect(microphone.live()).toBe(0);
  });

  it("when the model ends, nor any listener", async () => {
    const { model, microphone, conversation } = await recording();
    conversation.end();
    expect(microphone.live()).toBe(0);
    expect(model.listeners()).toBe(0);
  });

  it("when the session is reset", async () => {
    const { model, microphone, conversation } = await recording();
    await conversation.reset();
    expect(microphone.live()).toBe(0);
    expect(model.of("close")[0]).toMatchObject({ reason: "reset" });
    expect(model.types().at(-1)).toBe("reset");
  });
});

describe("events", () => {
  const events: SessionEvent[] = [chunk(0), decision(0), chunk(1), decision(1)];

  it("are taken once, however often they come", () => {
    const { model, store } = begin();
    model.welcome();
    model.events(0, events.slice(0, 2));
    model.events(0, events);
    model.events(2, events.slice(2));
    expect(store.record.count).toBe(4);
    expect(store.record.decided).toBe(2);
  });

  it("that are missing are asked for, once", () => {
    const { model, store } = begin();
    model.welcome();
    model.events(0, events.slice(0, 1));
    model.events(3, events.slice(3));
    model.events(3, events.slice(3));
    expect(store.record.count).toBe(1);
    expect(model.of("hello").map(({ seen }) => seen)).toEqual([0, 1]);
    model.welcome();
    model.events(1, events.slice(1));
    expect(store.record.count).toBe(4);
  });

  it("of another session replace the old ones", () => {
    const { model, store } = begin();
    model.welcome();
    model.events(0, events);
    model.say({ type: "reset", session: 2 });
    expect(store.record.count).toBe(0);
    model.events(0, events.slice(0, 2), { session: 2 });
    expect(store.record.count).toBe(2);
  });

  it("of a session that began unnoticed are fetched from the start", () => {
    const { model, store } = begin();
    model.welcome();
    model.events(0, events);
    model.events(4, [chunk(2)], { session: "b" });
    expect(store.record.count).toBe(0);
    expect(model.of("hello").at(-1)).toMatchObject({ seen: 0 });
  });

  it("carry the number of waiting chunks", () => {
    const { model, store } = begin();
    model.welcome();
    model.events(0, [], { waiting: 3 });
    expect(store.waiting.value).toBe(3);
  });

  it("make the widget speak until the reply ends, and announce the reply once", () => {
    const { model, store } = begin();
    model.welcome();
    model.events(0, [chunk(0), decision(0, { choice: "TEXT_BEGIN" }), token(0, 0, "Hi")]);
    expect(store.shown.value).toBe("speaking");
    expect(store.announcement.value).toBe("");
    model.events(3, [turn(0, "Hi.")]);
    expect(store.shown.value).toBe("idle");
    expect(store.announcement.value).toBe("Hi.");
  });
});

describe("the kernel's news", () => {
  it("of the model come by trait, welcome and message", () => {
    const { model, store } = begin();
    expect(store.model.value.status).toBe("loading");
    model.traits.model_info = { status: "loading", name: "tiny", detail: "" };
    model.emit("change:model_info");
    expect(store.model.value.name).toBe("tiny");
    model.welcome({ model: { status: "ready", name: "tiny", detail: "cpu" } });
    expect(store.model.value.status).toBe("ready");
    model.say({ type: "model", status: "failed", name: "tiny", detail: "no such folder" });
    expect(store.model.value).toMatchObject({ status: "failed", detail: "no such folder" });
  });

  it("of a problem are shown until dismissed", () => {
    const { model, conversation, store } = begin();
    model.welcome();
    model.say({ type: "problem", code: "model_error", message: "It broke.", detail: "Traceback" });
    const problem = store.problems.value[0];
    expect(problem).toMatchObject({ sentence: "It broke.", detail: "Traceback" });
    if (problem) conversation.dismiss(problem);
    expect(store.problems.value).toEqual([]);
  });

  it("that never come are waited for, visibly", () => {
    const { model, store } = begin();
    vi.advanceTimersByTime(2000);
    expect(store.line.value).toBe("waiting");
    model.welcome();
    expect(store.line.value).toBe("ready");
  });

  it("of another protocol are named", () => {
    const { model, store } = begin();
    model.welcome({ protocol: 99 });
    expect(store.problems.value[0]?.code).toBe("protocol_mismatch");
  });
});

describe("a session that this page does not record", () => {
  it("shows the kernel's state and the length of its audio", () => {
    const { model, store } = begin();
    model.traits.state = "listening";
    model.emit("change:state");
    expect(store.shown.value).toBe("listening");
    model.welcome();
    model.events(0, [chunk(0), chunk(1)], { waiting: 3 });
    expect(store.seconds.value).toBeCloseTo(2);
    model.traits.state = "stopped";
    model.emit("change:state");
    expect(store.shown.value).toBe("stopped");
  });

  it("never hides what this page's own microphone does", async () => {
    const { model, conversation, store } = await recording();
    model.traits.state = "idle";
    model.emit("change:state");
    expect(store.shown.value).toBe("listening");
    await conversation.stop();
    model.traits.state = "listening";
    model.emit("change:state");
    expect(store.shown.value).toBe("stopped");
  });
});
