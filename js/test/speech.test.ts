import { describe, expect, it, vi } from "vitest";
import { KernelVoice } from "../src/channel/kernel-voice";
import type { Playback } from "../src/playback/playback";
import type { Sound } from "../src/playback/sound";
import { BY_SCRIPT, Speech, type SpeechHost, START_MS } from "../src/speech/speech";

type Utterance = SpeechSynthesisUtterance & { text: string };

/** A browser that speaks when told to. */
function fakeHost(...langs: string[]) {
  const voices = langs.map((lang) => ({ lang, name: lang, default: false }));
  const spoken: Utterance[] = [];
  let cancelled = 0;
  const synthesis = {
    speaking: true,
    pending: false,
    getVoices: () => voices,
    speak: (utterance: Utterance) => spoken.push(utterance),
    cancel: () => {
      cancelled += 1;
    },
  } as unknown as SpeechSynthesis;
  const host: SpeechHost = { synthesis, utterance: (text) => ({ text }) as Utterance };
  return {
    host,
    synthesis: synthesis as unknown as { speaking: boolean },
    spoken,
    cancelled: () => cancelled,
    begin: (i: number) => spoken[i]?.onstart?.({} as SpeechSynthesisEvent),
    end: (i: number) => spoken[i]?.onend?.({} as SpeechSynthesisEvent),
    fail: (i: number, error: string) => spoken[i]?.onerror?.({ error } as SpeechSynthesisErrorEvent),
  };
}

describe("reading aloud", () => {
  it("speaks sentence by sentence and says which turn it reads until the last has ended", () => {
    const { host, spoken, begin, end } = fakeHost();
    const speech = new Speech(host);
    speech.start(3, "You said seven. Is that right? Yes");
    expect(spoken.map(({ text }) => text)).toEqual(["You said seven.", "Is that right?", "Yes"]);
    expect(speech.reading.value).toBe(3);
    begin(0);
    end(0);
    end(1);
    expect(speech.reading.value).toBe(3);
    end(2);
    expect(speech.reading.value).toBeNull();
  });

  it("stops at once, and late events of what was stopped change nothing", () => {
    const { host, cancelled, end, fail } = fakeHost();
    const speech = new Speech(host);
    speech.start(0, "One.");
    speech.stop();
    expect([speech.reading.value, cancelled()]).toEqual([null, 1]);
    speech.start(1, "Two.");
    end(0);
    fail(0, "interrupted");
    expect(speech.reading.value).toBe(1);
    speech.start(2, "Three.");
    expect([speech.reading.value, cancelled()]).toEqual([2, 2]);
  });

  it("does not cancel what others say while it says nothing", () => {
    const { host, cancelled } = fakeHost();
    new Speech(host).stop();
    expect(cancelled()).toBe(0);
  });

  it("tells what went wrong, but not where another voice took over", () => {
    const { host, fail, spoken } = fakeHost();
    const speech = new Speech(host);
    speech.start(0, "One.");
    fail(0, "synthesis-failed");
    expect(speech.reading.value).toBeNull();
    expect(speech.problem.value?.sentence).toContain("synthesis-failed");
    speech.start(1, "Two.");
    expect(speech.problem.value).toBeNull();
    fail(spoken.length - 1, "interrupted");
    expect([speech.reading.value, speech.problem.value]).toEqual([null, null]);
  });

  it("gives up on a browser that never begins", () => {
    vi.useFakeTimers();
    const { host, begin } = fakeHost();
    const speech = new Speech(host);
    speech.start(0, "One.");
    vi.advanceTimersByTime(START_MS);
    expect(speech.reading.value).toBeNull();
    expect(speech.problem.value?.code).toBe("speech_failed");
    speech.start(1, "Two.");
    begin(1);
    vi.advanceTimersByTime(10 * START_MS);
    expect(speech.reading.value).toBe(1);
    vi.useRealTimers();
  });

  it("ends where the browser no longer speaks and forgets to say so", () => {
    vi.useFakeTimers();
    const { host, synthesis, begin } = fakeHost();
    const speech = new Speech(host);
    speech.start(0, "One.");
    begin(0);
    vi.advanceTimersByTime(60_000);
    expect(speech.reading.value).toBe(0);
    synthesis.speaking = false;
    vi.advanceTimersByTime(5_000);
    expect(speech.reading.value).toBeNull();
    vi.useRealTimers();
  });

  it("tells the browser the language of each sentence, and takes a voice of it", () => {
    const { host, spoken } = fakeHost("en-US", "zh-CN");
    const speech = new Speech(host);
    speech.start(0, "你好。 Hello there! 7. שלום");
    expect(spoken.map(({ lang, voice }) => [lang, voice?.lang])).toEqual([
      ["zh-CN", "zh-CN"],
      ["en", "en-US"],
      ["en", "en-US"],
      ["he", undefined],
    ]);
    expect(speech.remark.value).toMatch(/No voice for Hebrew is installed/);
    speech.start(1, "Hello.");
    expect(speech.remark.value).toBe("");
  });

  it("reads in the language that was chosen, which the page remembers", () => {
    const kept = new Map<string, string>();
    vi.stubGlobal("localStorage", {
      getItem: (name: string) => kept.get(name) ?? null,
      setItem: (name: string, value: string) => kept.set(name, value),
    });
    new Speech(fakeHost("de-DE").host).chooseLanguage("de-DE");
    const { host, spoken } = fakeHost("de-DE", "en-US");
    const speech = new Speech(host);
    speech.start(0, "Hallo. Hello.");
    expect(spoken.map(({ lang }) => lang)).toEqual(["de-DE", "de-DE"]);
    expect(speech.languages.map(({ language }) => language)).toEqual(["en-US", "de-DE"]);
    speech.chooseLanguage(BY_SCRIPT);
    speech.start(1, "你好");
    expect(spoken.at(-1)?.lang).toBe("zh-CN");
    vi.unstubAllGlobals();
  });

  it("does not claim that voices are missing where the browser lists none", () => {
    const { host, spoken } = fakeHost();
    const speech = new Speech(host);
    speech.start(0, "你好");
    expect([spoken[0]?.lang, speech.remark.value]).toEqual(["zh-CN", ""]);
  });

  it("says so where there is no speech synthesis, and reads nothing of nothing", () => {
    const mute = new Speech({ synthesis: undefined, utterance: (text) => ({ text }) as Utterance });
    expect(mute.available).toBe(false);
    mute.start(0, "One.");
    expect([mute.reading.value, mute.problem.value?.code]).toEqual([null, "no_speech"]);
    const speech = new Speech(fakeHost().host);
    speech.start(0, "  ");
    expect(speech.reading.value).toBeNull();
  });

  it("reads with the voice and at the speed that were chosen, sentences of its language", () => {
    const kept = new Map<string, string>();
    vi.stubGlobal("localStorage", {
      getItem: (name: string) => kept.get(name) ?? null,
      setItem: (name: string, value: string) => kept.set(name, value),
    });
    const before = new Speech(fakeHost("en-US", "en-GB", "de-DE").host);
    before.chooseVoice("en-GB");
    before.chooseRate(1.4);
    const { host, spoken } = fakeHost("en-US", "en-GB", "zh-CN");
    const speech = new Speech(host);
    speech.start(0, "Hello. 你好。");
    expect(spoken.map(({ voice, rate }) => [voice?.name, rate])).toEqual([
      ["en-GB", 1.4],
      ["zh-CN", 1.4],
    ]);
    expect(speech.voiceNames.map(({ name }) => name)).toEqual(["en-US", "en-GB", "zh-CN"]);
    vi.unstubAllGlobals();
  });

  it.each([
    ["9", 2],
    ["0", 0.5],
    ["fast", 1],
    ["", 1],
  ])("keeps the speed within its range: %s stored", (stored, rate) => {
    vi.stubGlobal("localStorage", {
      getItem: (name: string) => (name === "ai_widgets.voice_rate" ? stored : null),
      setItem: () => {},
    });
    expect(new Speech(fakeHost().host).rate.value).toBe(rate);
    vi.unstubAllGlobals();
  });
});

describe("sounds of replies that Python made", () => {
  /** A loudspeaker that plays until it is told to end. */
  function fakePlayback() {
    const played: { sound: Sound; end: () => void; fail: (error: Error) => void }[] = [];
    let stopped = 0;
    const playback = {
      play: (sound: Sound) =>
        new Promise<void>((resolve, reject) => played.push({ sound, end: resolve, fail: reject })),
      stop: () => {
        stopped += 1;
        played.at(-1)?.end();
      },
      end: () => {},
    } as unknown as Playback;
    return { playback, played, stopped: () => stopped };
  }
  const sound = (value: number): Sound => ({ samples: new Float32Array([value]), rate: 16_000 });
  const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

  it("play one after the other, and the reply that plays is named until its end", async () => {
    const { playback, played } = fakePlayback();
    const speech = new Speech(fakeHost().host, playback);
    void speech.play(0, sound(0.25));
    void speech.play(1, sound(0.5));
    expect([played.length, speech.reading.value]).toEqual([1, 0]);
    played[0]?.end();
    await settled();
    expect([played[1]?.sound.samples[0], speech.reading.value]).toEqual([0.5, 1]);
    played[1]?.end();
    await settled();
    expect(speech.reading.value).toBeNull();
  });

  it("stop at once, with those that follow", async () => {
    const { playback, played, stopped } = fakePlayback();
    const speech = new Speech(fakeHost().host, playback);
    void speech.play(0, sound(0.25));
    void speech.play(1, sound(0.5));
    speech.stop();
    expect([speech.reading.value, stopped()]).toEqual([null, 1]);
    await settled();
    expect(played.length).toBe(1);
    void speech.play(2, sound(0.75));
    expect(speech.reading.value).toBe(2);
  });

  it("replace a reply that the browser reads, and are replaced by one", () => {
    const { playback } = fakePlayback();
    const { host, cancelled } = fakeHost();
    const speech = new Speech(host, playback);
    speech.start(0, "One.");
    void speech.play(1, sound(0.5));
    expect([speech.reading.value, cancelled()]).toEqual([1, 1]);
    speech.start(2, "Two.");
    expect(speech.reading.value).toBe(2);
  });

  it("say why the loudspeaker did not play, and open the microphone again", async () => {
    const { playback, played } = fakePlayback();
    const speech = new Speech(fakeHost().host, playback);
    void speech.play(0, sound(0.5));
    played[0]?.fail(new Error("the loudspeaker does not start"));
    await settled();
    expect(speech.reading.value).toBeNull();
    expect(speech.problem.value?.sentence).toContain("the loudspeaker does not start");
  });
});

describe("the parts of a sound from the kernel", () => {
  const message = (part: number, more: object = {}) =>
    ({ type: "voice", turn: 4, page: "p", rate: 16_000, format: "int16", part, parts: 2, ...more }) as const;
  const taken = (...given: [ReturnType<typeof message>, number[]][]) => {
    const played: [number, number[]][] = [];
    const voice = new KernelVoice((turn, { samples }) => played.push([turn, [...samples]]));
    for (const [each, samples] of given) voice.take(each, [new Int16Array(samples)]);
    return played;
  };

  it("are joined in order", () => {
    expect(taken([message(0), [16_384]], [message(1), [-16_384, 0]])).toEqual([[4, [0.5, -0.5, 0]]]);
  });

  it("are not played where one is missing, also of the reply before", () => {
    expect(taken([message(1), [1]])).toEqual([]);
    expect(taken([message(0), [1]], [message(1, { turn: 5 }), [1]])).toEqual([]);
    expect(
      taken([message(0), [1]], [message(0, { turn: 5, parts: 1 }), [16_384]], [message(1), [1]]),
    ).toEqual([[5, [0.5]]]);
  });

  it("come as base64 where the host drops buffers", () => {
    const played: number[] = [];
    const voice = new KernelVoice((_, { samples }) => played.push(...samples));
    voice.take(message(0, { parts: 1, data: btoa("\x00\x40") }), []);
    expect(played).toEqual([0.5]);
  });
});
