import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Conversation } from "../src/conversation";
import { UNTOLD_LIVE } from "../src/store/settings";
import { chunk, FakeMicrophone, FakeModel, settle, timing } from "./fakes";
import { LOUD, recording } from "./recording";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("a stream", () => {
  it("opens with the page's name and what the browser granted, ids left out", async () => {
    const { model } = await recording();
    const [hello] = model.of("hello");
    expect(model.of("open")[0]).toMatchObject({
      page: hello?.page,
      track: { sampleRate: 48_000, echoCancellation: false },
    });
    expect(model.of("open")[0]?.track).not.toHaveProperty("deviceId");
    expect(model.of("block")[0]).toMatchObject({ sent_ms: Date.now(), gated: false, page: hello?.page });
  });
});

describe("mute", () => {
  it("sends silence, flagged, in place of the microphone, and keeps the stream and the device", async () => {
    const { microphone, conversation, store, blocks } = await recording();
    conversation.mute(true);
    expect(microphone.tracks[0]?.enabled).toBe(false);
    microphone.hear(LOUD());
    expect(store.level.value.peak).toBe(0);
    conversation.mute(false);
    microphone.hear(LOUD());
    expect(blocks()).toEqual([
      { gated: false, peak: 0.5 },
      { gated: true, peak: 0 },
      { gated: false, peak: 0.5 },
    ]);
    expect(microphone.live()).toBe(1);
    expect(microphone.tracks).toHaveLength(1);
    expect(store.shown.value).toBe("listening");
  });

  it("does not outlast the recording", async () => {
    const { microphone, conversation, store } = await recording();
    conversation.mute(true);
    await conversation.stop();
    await conversation.record();
    expect(store.muted.value).toBe(false);
    expect(microphone.tracks.at(-1)?.enabled).toBe(true);
  });
});

describe("pause", () => {
  it("holds the audio clock, tells the kernel, and goes on in the same stream", async () => {
    const { model, microphone, conversation, store } = await recording();
    conversation.pause(true);
    await settle();
    expect(store.shown.value).toBe("paused");
    expect(model.of("state").at(-1)).toMatchObject({ state: "paused" });
    expect(microphone.contexts[0]?.state).toBe("suspended");
    expect(store.problems.value).toEqual([]);
    expect(store.micOpen.value).toBe(true);
    conversation.pause(false);
    microphone.contexts[0]?.become("running");
    microphone.hear(LOUD());
    expect(store.shown.value).toBe("listening");
    expect(model.of("open")).toHaveLength(1);
    expect(model.of("close")).toHaveLength(0);
  });

  it("does nothing before sound arrives or after it ended", async () => {
    const { conversation, store } = await recording();
    await conversation.stop();
    conversation.pause(true);
    expect(store.shown.value).toBe("stopped");
  });
});

describe("while a reply is read aloud", () => {
  /** A browser that reads until it is told to stop. */
  function speak() {
    vi.stubGlobal("speechSynthesis", {
      ...{ speak: () => {}, cancel: () => {}, resume: () => {}, pause: () => {} },
      ...{ getVoices: () => [], addEventListener: () => {}, removeEventListener: () => {} },
    });
    vi.stubGlobal("SpeechSynthesisUtterance", class extends EventTarget {});
  }

  it("the microphone is gated, and a moment longer for the room's echo", async () => {
    const { microphone, conversation, store, blocks } = await recording();
    speak();
    conversation.speech.start(0, "Hello.");
    expect(store.readingAloud.value).toBe(true);
    microphone.hear(LOUD());
    conversation.speech.stop();
    expect(store.readingAloud.value).toBe(false);
    microphone.hear(LOUD());
    vi.advanceTimersByTime(400);
    microphone.hear(LOUD());
    expect(blocks().map(({ gated }) => gated)).toEqual([false, true, true, false]);
    expect(blocks().map(({ peak }) => peak)).toEqual([0.5, 0, 0, 0.5]);
  });

  it("or it listens on, with echo cancellation for as long as the voice talks", async () => {
    const { microphone, conversation, store, blocks } = await recording({ reading: "listen" });
    speak();
    conversation.speech.start(0, "Hello.");
    await settle();
    microphone.hear(LOUD());
    expect(microphone.tracks[0]?.settings.echoCancellation).toBe(true);
    expect(store.track.value?.echoCancellation).toBe(true);
    conversation.speech.stop();
    await settle();
    expect(microphone.tracks[0]?.settings.echoCancellation).toBe(false);
    expect(blocks().map(({ gated }) => gated)).toEqual([false, false]);
  });

  it("a chunk that is played is gated like a reply that is read", async () => {
    const { microphone, conversation, blocks } = await recording();
    let ended = () => {};
    class Loudspeaker {
      state = "running";
      destination = {};
      createBuffer = (_: number, length: number) => ({ getChannelData: () => new Float32Array(length) });
      createBufferSource = () => {
        const source = {
          onended: null as (() => void) | null,
          connect: () => {},
          disconnect: () => {},
          start: () => {},
        };
        ended = () => source.onended?.();
        return source;
      };
      async resume() {}
      async close() {}
    }
    vi.stubGlobal("AudioContext", Loudspeaker);
    conversation.rawAudio = () => ({ rate: 48_000, samples: LOUD() });
    const played = conversation.player.play("raw", 0);
    await settle();
    microphone.hear(LOUD());
    ended();
    await played;
    vi.advanceTimersByTime(400);
    microphone.hear(LOUD());
    expect(blocks().map(({ gated }) => gated)).toEqual([false, true, false]);
  });

  it("also where that is chosen while the voice talks", async () => {
    const { microphone, conversation, model, store } = await recording();
    speak();
    conversation.speech.start(0, "Hello.");
    await settle();
    expect(store.track.value?.echoCancellation).toBe(false);
    model.sync("live", { ...UNTOLD_LIVE, reading: "listen" });
    await settle();
    expect(store.track.value?.echoCancellation).toBe(true);
    model.sync("live", { ...UNTOLD_LIVE, reading: "mute" });
    await settle();
    expect(microphone.tracks[0]?.settings.echoCancellation).toBe(false);
  });
});

describe("a model that has failed", () => {
  it("hears nothing any more: the recording ends, and the sentence stays", async () => {
    const { microphone, model, codes } = await recording();
    const message = "The checkpoint /models/none is not there.";
    model.say({ type: "problem", code: "model", message, detail: "", page: "" });
    await settle();
    expect(microphone.live()).toBe(0);
    expect(model.of("close")[0]).toMatchObject({ reason: "error" });
    expect(codes()).toContain("model");
  });
});

describe("a page that is loaded again", () => {
  it("says once more that the one before has gone, which may not have been heard", async () => {
    const kept = new Map<string, string>();
    vi.stubGlobal("sessionStorage", {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => kept.set(key, value),
    });
    const { model, conversation } = await recording();
    expect(model.of("close")).toEqual([]);
    conversation.end();
    const after = new FakeModel();
    new Conversation(after, { captureHost: new FakeMicrophone().host }).start();
    expect(after.of("close")).toEqual([]);
    after.welcome();
    expect(after.of("close")).toEqual(model.of("close"));
    expect(after.of("close")[0]).toMatchObject({ reason: "view_removed", page: model.of("hello")[0]?.page });
  });
});

describe("how far decisions are behind", () => {
  it("counts from the capture, also while the kernel takes nothing up", async () => {
    const { microphone, model, store } = await recording();
    for (let i = 0; i < 120; i++) {
      vi.advanceTimersByTime(100);
      microphone.hear(LOUD());
    }
    expect(store.waiting.value).toBe(30);
    expect(store.lag.value).toBeCloseTo(11.7, 1);
    // It takes up all of them at once, and decides the first ten chunks: these were recorded 8 s ago.
    model.say({ type: "ack", stream: 1, seq: 120, now_ms: Date.now() });
    model.events(0, [chunk(9), timing(9, 0, { stream: 1, seq: 39 })], { waiting: 20 });
    vi.advanceTimersByTime(100);
    microphone.hear(LOUD());
    expect(store.waiting.value).toBe(20);
    expect(store.lag.value).toBeCloseTo(7.8, 1);
  });

  it("is none while nothing waits, whatever was decided", async () => {
    const { microphone, model, store } = await recording();
    for (let i = 1; i < 50; i++) {
      vi.advanceTimersByTime(100);
      microphone.hear(LOUD());
      model.say({ type: "ack", stream: 1, seq: i, now_ms: Date.now() });
    }
    expect([store.waiting.value, store.lag.value]).toEqual([0, 0]);
  });

  it("is what the kernel counts where another page records", async () => {
    const { model, store } = await recording();
    model.sync("counters", { lag_s: 3.2 });
    expect(store.lag.value).toBe(3.2);
  });

  it("is known to the kernel by blocks that say how the clocks stand", async () => {
    const { microphone, model } = await recording();
    expect(model.of("block")[0]?.offset_ms).toBeNull();
    model.welcome({ now_ms: Date.now() + 60_000 });
    microphone.hear(LOUD());
    expect(model.of("block").at(-1)?.offset_ms).toBeCloseTo(60_000, -2);
  });
});

describe("a page in the background", () => {
  it("says afterwards how long the microphone was on meanwhile", async () => {
    const page = Object.assign(new EventTarget(), { visibilityState: "visible" });
    vi.stubGlobal("document", page);
    const { model, microphone, store, conversation } = await recording();
    const look = (state: string) => {
      page.visibilityState = state;
      page.dispatchEvent(new Event("visibilitychange"));
    };
    look("hidden");
    vi.advanceTimersByTime(1_000);
    microphone.hear(LOUD());
    look("visible");
    expect(store.problems.value).toEqual([]);
    look("hidden");
    for (let i = 0; i < 75; i++) {
      vi.advanceTimersByTime(1_000);
      microphone.hear(LOUD());
    }
    model.events(0, [chunk(0), chunk(1)]);
    look("visible");
    expect(store.problems.value[0]?.sentence).toMatch(/for 1 min 15 s .* 2 chunks were heard/);
    await conversation.stop();
    for (const problem of store.problems.value) conversation.dismiss(problem);
    look("hidden");
    vi.advanceTimersByTime(75_000);
    look("visible");
    expect(store.problems.value).toEqual([]);
  });
});

describe("another page", () => {
  it("that records already is named, and this microphone is given back", async () => {
    const { model, microphone, codes, store } = await recording();
    const page = model.of("hello")[0]?.page;
    const refusal = { type: "problem", code: "busy_elsewhere", message: "Another page records.", detail: "" };
    model.say({ ...refusal, page: "somebody else" });
    expect(codes()).toEqual([]);
    model.say({ ...refusal, page });
    expect(codes()).toEqual(["busy_elsewhere"]);
    expect(microphone.live()).toBe(0);
    expect(store.shown.value).toBe("stopped");
    expect(store.problems.value[0]?.wayOut).toMatch(/press Record/);
  });

  it("that said hello gets its own welcome", async () => {
    const { model, store } = await recording();
    model.welcome({ page: "somebody else", session: 9 });
    expect(store.session).toBe(1);
  });
});

describe("the raw sound of a chunk", () => {
  it("is found by the stream and block that completed it", async () => {
    const { model, microphone, conversation } = await recording();
    for (let i = 1; i < 9; i++) microphone.hear(new Float32Array(4800).fill(i / 10));
    model.events(0, [
      ...[chunk(0), timing(0, 0, { stream: 1, seq: 3 })],
      ...[chunk(1), timing(1, 0, { stream: 1, seq: 7 })],
      timing(2, 0),
    ]);
    const sound = conversation.rawAudio(1);
    expect(sound?.rate).toBe(48_000);
    expect(sound?.samples.length).toBe(19_200);
    expect(sound?.samples[0]).toBeCloseTo(0.4, 3);
    expect(sound?.samples[19_199]).toBeCloseTo(0.7, 3);
    expect(conversation.rawAudio(2)).toBeNull();
    expect(conversation.rawAudio(7)).toBeNull();
  });
});
