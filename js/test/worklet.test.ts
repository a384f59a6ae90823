import { describe, expect, it } from "vitest";
import source from "../src/capture/blocks.worklet.js";

interface Posted {
  samples: Float32Array;
  time: number;
  at: number;
  flushed?: boolean;
}

/** Runs the worklet's text in a made-up audio thread. */
function audioThread(rate: number) {
  const posted: Posted[] = [];
  const world = { currentFrame: 0 };
  class AudioWorkletProcessor {
    port = {
      onmessage: null as null | (() => void),
      postMessage: (message: Posted) => posted.push(message),
    };
  }
  let Cutter: new () => AudioWorkletProcessor & { process(inputs: Float32Array[][]): boolean };
  const body = source.replaceAll("currentFrame", "world.currentFrame");
  new Function("AudioWorkletProcessor", "registerProcessor", "sampleRate", "world", body)(
    AudioWorkletProcessor,
    (_name: string, made: typeof Cutter) => {
      Cutter = made;
    },
    rate,
    world,
  );
  // biome-ignore lint/style/noNonNullAssertion: registered by the line above
  const cutter = new Cutter!();
  let next = 0;
  return {
    posted,
    /** One render quantum of counted samples in `channels` channels; 0: the source is not running. */
    run(channels = 1): boolean {
      const samples = Float32Array.from({ length: 128 }, () => ++next);
      const goesOn = cutter.process([Array.from({ length: channels }, () => samples)]);
      world.currentFrame += 128;
      return goesOn;
    },
    flush: () => cutter.port.onmessage?.(),
    heard: () => posted.filter(({ samples }) => samples).flatMap(({ samples }) => [...samples]),
  };
}

describe("the worklet", () => {
  it("says when the last sample of a block was captured", () => {
    const thread = audioThread(1280);
    const before = Date.now();
    thread.run();
    expect(thread.posted[0]?.at).toBeGreaterThanOrEqual(before);
    expect(thread.posted[0]?.at).toBeLessThanOrEqual(Date.now());
  });

  it("cuts blocks of 100 ms with the clock of their first sample", () => {
    const thread = audioThread(44_100);
    for (let i = 0; i < 200; i++) thread.run();
    expect(thread.posted.map(({ samples }) => samples.length)).toEqual([4410, 4410, 4410, 4410, 4410]);
    thread.posted.forEach(({ time }, i) => {
      expect(time).toBeCloseTo(i * 0.1, 9);
    });
  });

  it("loses no sample on stop", () => {
    const thread = audioThread(48_000);
    for (let i = 0; i < 100; i++) thread.run();
    thread.flush();
    expect(thread.heard()).toEqual(Array.from({ length: 12_800 }, (_, i) => i + 1));
    expect(thread.posted.at(-1)?.flushed).toBe(true);
    expect(thread.run()).toBe(false);
    expect(thread.heard()).toHaveLength(12_800);
  });

  it("mixes channels to their mean", () => {
    const thread = audioThread(48_000);
    thread.run(2);
    thread.flush();
    expect(thread.heard().slice(0, 3)).toEqual([1, 2, 3]);
  });

  it("waits for the first sound, then keeps to the clock where the source skips", () => {
    const thread = audioThread(48_000);
    thread.run(0);
    thread.run(1);
    thread.run(0);
    thread.run(1);
    thread.flush();
    expect(thread.heard()).toHaveLength(3 * 128);
    expect(thread.posted[0]?.time).toBeCloseTo(128 / 48_000, 9);
    expect(thread.heard().slice(128, 256)).toEqual(new Array(128).fill(0));
  });
});
