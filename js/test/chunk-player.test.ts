import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ChunkPlayer, NO_RAW } from "../src/playback/chunk-player";
import { Playback, SLACK_MS } from "../src/playback/playback";
import type { Fetched, Sound } from "../src/playback/sound";
import { settle } from "./fakes";

const sound = (length: number): Sound => ({ rate: 16_000, samples: new Float32Array(length) });

/** A loudspeaker whose sounds end on command. */
class Loudspeaker {
  state = "running";
  destination = {};
  begun: number[] = [];
  starts = true;
  #ended: (() => void) | null = null;

  createBuffer = (_: number, length: number) => ({ length, getChannelData: () => new Float32Array(length) });

  createBufferSource = () => {
    const source = {
      buffer: null as { length: number } | null,
      onended: null as (() => void) | null,
      connect: () => {},
      disconnect: () => {},
      start: () => {
        this.begun.push(source.buffer?.length ?? 0);
        this.#ended = () => source.onended?.();
      },
    };
    return source;
  };

  end = () => this.#ended?.();
  resume = () => (this.starts ? Promise.resolve() : new Promise(() => {}));
  close = async () => {
    this.state = "closed";
  };
}

function player() {
  const loudspeakers: Loudspeaker[] = [];
  const playback = new Playback(() => {
    loudspeakers.push(new Loudspeaker());
    return loudspeakers.at(-1) as unknown as AudioContext;
  });
  const answers: ((fetched: Fetched) => void)[] = [];
  const source = {
    rawAudio: (chunk: number) => (chunk === 9 ? null : sound(100 + chunk)),
    fetchAudio: () => new Promise<Fetched>((resolve) => answers.push(resolve)),
  };
  const made = new ChunkPlayer(source, playback);
  return { made, answers, loudspeakers, begun: () => loudspeakers.flatMap(({ begun }) => begun) };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("playing a chunk", () => {
  it("a sound that is fetched late does not replace the one that was asked for after it", async () => {
    const { made, answers, begun } = player();
    void made.play("heard", 3);
    void made.play("raw", 5);
    await settle();
    expect(begun()).toEqual([105]);
    answers[0]?.({ sound: sound(6400) });
    await settle();
    expect(begun()).toEqual([105]);
    expect(made.asked.value).toEqual({ which: "raw", chunk: 5 });
  });

  it("of two fetches the newer press counts, whichever answer comes first", async () => {
    const { made, answers, begun } = player();
    void made.play("heard", 3);
    void made.play("heard", 4);
    answers[1]?.({ sound: sound(4) });
    await settle();
    answers[0]?.({ sound: sound(3) });
    await settle();
    expect(begun()).toEqual([4]);
  });

  it("is heard from its first sample to its last, so that the microphone can be gated", async () => {
    const { made, answers, loudspeakers } = player();
    const played = made.play("heard", 3);
    expect([made.audible.value, made.asked.value?.chunk]).toEqual([false, 3]);
    answers[0]?.({ sound: sound(6400) });
    await settle();
    expect(made.audible.value).toBe(true);
    loudspeakers[0]?.end();
    await played;
    expect([made.audible.value, made.asked.value]).toEqual([false, null]);
  });

  it("says why there is no sound, until the next press", async () => {
    const { made, answers } = player();
    await made.play("raw", 9);
    expect(made.said.value).toEqual({ which: "raw", chunk: 9, sentence: NO_RAW });
    const played = made.play("heard", 2);
    expect(made.said.value).toBeNull();
    answers[0]?.({ why: "Gone." });
    await played;
    expect(made.said.value).toMatchObject({ chunk: 2, sentence: "Gone." });
  });

  it.each([
    ["starts", (one: Loudspeaker) => Object.assign(one, { starts: false })],
    ["ends", () => {}],
  ])("does not wait for a loudspeaker that never %s, nor keep the microphone gated", async (_, spoil) => {
    const loudspeaker = new Loudspeaker();
    spoil(loudspeaker);
    const source = { rawAudio: () => sound(1600), fetchAudio: () => new Promise<Fetched>(() => {}) };
    const made = new ChunkPlayer(source, new Playback(() => loudspeaker as unknown as AudioContext));
    const played = made.play("raw", 1);
    await vi.advanceTimersByTimeAsync(2 * SLACK_MS);
    await played;
    expect(made.audible.value).toBe(false);
    expect(made.said.value?.sentence).toContain("could not play the sound");
  });

  it("opens a loudspeaker anew where other code has closed it", async () => {
    const { made, loudspeakers, begun } = player();
    void made.play("raw", 1);
    await settle();
    if (loudspeakers[0]) loudspeakers[0].state = "closed";
    void made.play("raw", 2);
    await settle();
    expect(begun()).toEqual([101, 102]);
    expect(loudspeakers).toHaveLength(2);
  });
});
