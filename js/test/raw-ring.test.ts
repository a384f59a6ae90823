import { describe, expect, it } from "vitest";
import { RAW_SECONDS, RawRing } from "../src/capture/raw-ring";

const RATE = 1000;
/** 0.1 s of a ramp that says which sample of the stream each one is. */
const block = (n: number) => Float32Array.from({ length: 100 }, (_, i) => (n * 100 + i) / 32768);

function ring(blocks: number): RawRing {
  const made = new RawRing();
  for (let n = 0; n < blocks; n++) made.push(1, n, RATE, block(n));
  return made;
}

const whole = (samples: Float32Array | undefined) => Array.from(samples ?? [], (x) => Math.round(x * 32768));

describe("the raw sound of a chunk", () => {
  it("is the 0.4 s of the stream that the chunk was cut from", () => {
    const sound = ring(12).chunk(1, 1, 7);
    expect(sound?.rate).toBe(RATE);
    expect(whole(sound?.samples)).toEqual(Array.from({ length: 400 }, (_, i) => 400 + i));
  });

  it("goes by the block that completed it where chunks were left out on the way", () => {
    // The kernel's third chunk of the stream, but what came before it was dropped: block 39 ends at 4 s.
    expect(whole(ring(40).chunk(1, 2, 39)?.samples).slice(0, 3)).toEqual([3600, 3601, 3602]);
  });

  it("ends in silence where the recording stopped within it", () => {
    const made = ring(5);
    const sound = made.chunk(1, 1, 4);
    expect(sound?.samples.length).toBe(400);
    expect(whole(sound?.samples).slice(98, 102)).toEqual([498, 499, 0, 0]);
  });

  it("is missing for another stream, an unknown block, or when it was discarded", () => {
    const made = ring(12);
    expect(made.chunk(2, 0, 3)).toBeNull();
    expect(made.chunk(1, 9, 39)).toBeNull();
    for (let n = 12; n < RAW_SECONDS * 10 + 20; n++) made.push(1, n, RATE, block(n));
    expect(made.chunk(1, 0, 3)).toBeNull();
    expect(made.seconds).toBeLessThanOrEqual(RAW_SECONDS + 0.001);
    expect(made.seconds).toBeGreaterThan(RAW_SECONDS - 1);
  });

  it("keeps streams apart and clips what is louder than full scale", () => {
    const made = ring(4);
    made.push(2, 0, RATE, new Float32Array(400).fill(3));
    expect(whole(made.chunk(2, 0, 0)?.samples)[0]).toBe(32767);
    expect(whole(made.chunk(1, 0, 3)?.samples)[399]).toBe(399);
    made.clear();
    expect(made.seconds).toBe(0);
    expect(made.chunk(1, 0, 3)).toBeNull();
  });
});
