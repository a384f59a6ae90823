import { describe, expect, it, vi } from "vitest";
import { Speech, type SpeechHost, START_MS } from "../src/speech";

type Utterance = SpeechSynthesisUtterance & { text: string };

/** A browser that speaks when told to. */
function fakeHost() {
  const spoken: Utterance[] = [];
  let cancelled = 0;
  const synthesis = {
    speak: (utterance: Utterance) => spoken.push(utterance),
    cancel: () => {
      cancelled += 1;
    },
  } as unknown as SpeechSynthesis;
  const host: SpeechHost = { synthesis, utterance: (text) => ({ text }) as Utterance };
  return {
    host,
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
