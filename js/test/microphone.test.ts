import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Conversation } from "../src/conversation";
import { UNTOLD_LIVE } from "../src/store/settings";
import { FakeMicrophone, FakeModel, settle } from "./fakes";
import { LOUD, recording } from "./recording";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("other processing", () => {
  it("is asked of the open track", async () => {
    const { model, microphone, store } = await recording();
    model.sync("live", { ...UNTOLD_LIVE, echo_cancellation: true });
    await settle();
    expect(microphone.tracks).toHaveLength(1);
    expect(store.track.value?.echoCancellation).toBe(true);
    expect(model.of("open")).toHaveLength(1);
  });

  it("opens the microphone anew where the browser cannot change an open one", async () => {
    const { model, microphone, store } = await recording();
    for (const track of microphone.tracks) track.adjustable = false;
    model.sync("live", { ...UNTOLD_LIVE, echo_cancellation: true });
    await settle();
    await vi.advanceTimersByTimeAsync(1);
    await settle();
    microphone.hear(LOUD());
    expect(microphone.tracks).toHaveLength(2);
    expect(microphone.live()).toBe(1);
    expect(model.of("open").at(-1)).toMatchObject({ stream: 2, track: { echoCancellation: true } });
    expect(store.shown.value).toBe("listening");
  });
});

describe("the choice of a microphone", () => {
  it("knows their names once one was allowed, and follows what is plugged in", async () => {
    const { microphone, store } = await recording();
    expect(store.devices.value).toEqual([{ id: "desk", name: "Desk microphone" }]);
    microphone.plug("default", "desk", "headset");
    await settle();
    expect(store.devices.value.map(({ id }) => id)).toEqual(["desk", "headset"]);
  });

  it("changes what is being recorded, in a stream of its own", async () => {
    const microphone = new FakeMicrophone();
    microphone.plug("desk", "headset");
    const { model, store } = await recording({}, microphone);
    model.sync("live", { ...UNTOLD_LIVE, device: "headset" });
    await settle();
    await vi.advanceTimersByTimeAsync(1);
    await settle();
    microphone.hear(LOUD());
    expect(model.of("open").map(({ name }) => name)).toEqual(["desk microphone", "headset microphone"]);
    expect(microphone.live()).toBe(1);
    expect(store.track.value?.name).toBe("headset microphone");
  });

  it("says when the chosen one is not there and another one records", async () => {
    const { codes, store, model, microphone } = await recording({ device: "headset" });
    expect(codes()).toEqual(["device_absent"]);
    expect(store.shown.value).toBe("listening");
    microphone.plug("desk", "headset");
    await settle();
    model.sync("live", { ...UNTOLD_LIVE, device: "headset", auto_gain: true });
    expect(store.problems.value[0]?.calm).toBe(true);
  });

  it("makes do without a list where the host forbids it", async () => {
    const microphone = new FakeMicrophone();
    if (microphone.host.devices) {
      microphone.host.devices.enumerateDevices = async () => {
        throw new Error("NotAllowedError");
      };
    }
    const { store } = await recording({}, microphone);
    expect(store.devices.value).toEqual([]);
    expect(store.shown.value).toBe("listening");
  });
});

describe("a microphone in trouble", () => {
  it("that is unplugged ends the recording and turns the light off", async () => {
    const { microphone, store, codes } = await recording();
    expect(store.micOpen.value).toBe(true);
    microphone.permission = "granted";
    microphone.tracks[0]?.unplug();
    await vi.waitFor(() => expect(codes()).toEqual(["track_ended"]));
    expect(store.micOpen.value).toBe(false);
    expect(store.shown.value).toBe("error");
  });

  it("that the system mutes shows a sentence until it is unmuted", async () => {
    const { microphone, store, codes } = await recording();
    microphone.tracks[0]?.dispatchEvent(new Event("mute"));
    expect(codes()).toEqual(["muted_by_system"]);
    expect(store.shown.value).toBe("listening");
    microphone.tracks[0]?.dispatchEvent(new Event("unmute"));
    expect(codes()).toEqual([]);
  });

  it("whose context is interrupted says so until it runs again", async () => {
    const { microphone, model, codes } = await recording();
    microphone.contexts[0]?.become("interrupted");
    expect(codes()).toEqual(["interrupted"]);
    expect(model.of("state").at(-1)).toMatchObject({ state: "listening", problem: "interrupted" });
    microphone.contexts[0]?.become("running");
    expect(codes()).toEqual([]);
  });

  it("without an audio thread records on, degraded, and says so once", async () => {
    const microphone = new FakeMicrophone();
    microphone.degraded = true;
    const { store, codes, conversation } = await recording({}, microphone);
    expect(store.mic.value.degraded).toBe(true);
    expect(codes()).toEqual(["degraded"]);
    const [problem] = store.problems.value;
    if (problem) conversation.dismiss(problem);
    microphone.hear(LOUD());
    expect(codes()).toEqual([]);
  });

  it("tells the kernel both clocks, by which it sees what was lost", async () => {
    const { microphone, model } = await recording();
    const begun = microphone.nextTime;
    const captured_ms = Date.now() - 40;
    microphone.hear(LOUD(), begun + 0.3, captured_ms);
    expect(model.of("block").at(-1)).toMatchObject({ time_s: begun + 0.3, captured_ms, sent_ms: Date.now() });
  });

  it.each([
    [{ by: "host" }, "host_policy"],
    [{ by: "server" }, "server_policy"],
    [{ by: "frame", frame: "The frame", embedder: "" }, "frame_policy"],
  ] as const)("that %o forbids is told apart from a person's no", async (hindrance, code) => {
    const microphone = new FakeMicrophone(false);
    microphone.hindrance = hindrance;
    const model = new FakeModel();
    const conversation = new Conversation(model, { captureHost: microphone.host });
    conversation.start();
    model.welcome();
    const started = conversation.record();
    await settle();
    microphone.refuse("NotAllowedError");
    await started;
    expect(conversation.store.problems.value[0]?.code).toBe(code);
  });
});

describe("a recording that falls silent", () => {
  it("without a block for 2 s is ended within 2.5 s, in a sentence, with the device free and the stream closed", async () => {
    const { model, microphone, store, codes } = await recording();
    vi.advanceTimersByTime(1_500);
    expect(store.shown.value).toBe("listening");
    vi.advanceTimersByTime(1_000);
    await settle();
    expect(codes()).toEqual(["stalled"]);
    expect(microphone.live()).toBe(0);
    expect(store.shown.value).toBe("error");
    expect(model.of("close")[0]).toMatchObject({ stream: 1, blocks: 1, reason: "stalled" });
    expect(model.of("state").at(-1)).toMatchObject({ state: "error", problem: "stalled" });
  });

  it("because other code closed its audio context is told so", async () => {
    const { microphone, model, codes } = await recording();
    microphone.contexts[0]?.become("closed");
    await settle();
    expect(codes()).toEqual(["audio_closed"]);
    expect(microphone.live()).toBe(0);
    expect(model.of("close")[0]).toMatchObject({ reason: "stalled" });
  });

  it("because other code stopped its track, which fires no event, although silence goes on to come", async () => {
    const { microphone, codes } = await recording();
    microphone.permission = "granted";
    microphone.tracks[0]?.stop();
    for (let i = 0; i < 20; i++) {
      await vi.advanceTimersByTimeAsync(100);
      microphone.hear(LOUD());
    }
    expect(codes()).toEqual(["track_ended"]);
  });

  it("is none while the page itself stands still: its blocks are there with the next turn", async () => {
    const { microphone, codes } = await recording();
    for (let i = 0; i < 10; i++) {
      // One look after five seconds, then all that had piled up.
      vi.setSystemTime(Date.now() + 5_000);
      vi.advanceTimersByTime(500);
      microphone.hear(LOUD());
    }
    expect(codes()).toEqual([]);
  });

  it("is none while the person or the system holds it, and the system's hold is shown", async () => {
    const { microphone, conversation, codes, store } = await recording();
    conversation.pause(true);
    vi.advanceTimersByTime(10_000);
    expect(codes()).toEqual([]);
    conversation.pause(false);
    microphone.contexts[0]?.become("interrupted");
    vi.advanceTimersByTime(10_000);
    expect(codes()).toEqual(["interrupted"]);
    expect(microphone.live()).toBe(1);
    microphone.contexts[0]?.become("running");
    microphone.hear(LOUD());
    expect([codes(), store.shown.value]).toEqual([[], "listening"]);
  });
});
