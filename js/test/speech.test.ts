import { describe, expect, it, vi } from "vitest";
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
});
