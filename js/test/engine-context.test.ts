/** The context's buffers and the window of its chunks, and the cutting of chunks: properties over many inputs. */
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { Chunker, Intake, levelDb, rounded } from "../src/engine/chunker";
import { Context, type Rows, roundedPosition } from "../src/engine/context";
import { CHUNK_SAMPLES } from "../src/engine/log-mel";
import { Window } from "../src/engine/window";
import { difference } from "./engine-vectors";

// The suite shares its cores with other work.
vi.setConfig({ testTimeout: 60_000 });

const SHAPE = { layers: 2, key_heads: 2, head_size: 4 };
const HEADS = SHAPE.layers * SHAPE.key_heads;
const FREQUENCIES = [1, 0.01];

/** Key of a token as RoPE rotates it at a position, of one head. */
function keyAt(token: number, head: number, position: number): number[] {
  const [a, b, c, d] = [token + 1, head + 0.5, 2 * token - head, 1] as const;
  const turn = (x: number, y: number, frequency: number) => {
    const [cos, sin] = [Math.cos(position * frequency), Math.sin(position * frequency)];
    return [x * cos - y * sin, y * cos + x * sin] as const;
  };
  const [first, third] = turn(a, c, FREQUENCIES[0] as number);
  const [second, fourth] = turn(b, d, FREQUENCIES[1] as number);
  return [first, second, third, fourth];
}

/** Rows of tokens that are fed at a position. */
function rows(tokens: readonly number[], position: number): Rows {
  const heads = Array.from({ length: HEADS }, (_, head) => head);
  const keys = heads.flatMap((head) => tokens.flatMap((token, i) => keyAt(token, head, position + i)));
  const values = heads.flatMap((head) => tokens.flatMap((token) => [token, head, 0, 0]));
  return { keys: Float32Array.from(keys), values: Float32Array.from(values) };
}

/** Feed, slide, clear or truncate; a feed is longer than 0. */
const STEPS = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ feed: fc.integer({ min: 1, max: 9 }) }) },
    { weight: 3, arbitrary: fc.record({ slide: fc.integer({ min: 1, max: 12 }) }) },
    { weight: 1, arbitrary: fc.record({ truncate: fc.integer({ min: 0, max: 6 }) }) },
    { weight: 1, arbitrary: fc.constant({ clear: true }) },
    { weight: 1, arbitrary: fc.constant({ branch: true }) },
  ),
  { minLength: 1, maxLength: 60 },
);

describe("keys and values", () => {
  it("hold the prefix and the newest tokens at consecutive positions, whatever was evicted", () => {
    fc.assert(
      fc.property(STEPS, fc.integer({ min: 1, max: 4 }), (steps, prefix) => {
        const limit = 30;
        let context = new Context(SHAPE, FREQUENCIES, limit, 8);
        let held: number[] = [];
        let newest = 0;
        for (const step of steps) {
          if ("feed" in step && held.length + step.feed <= limit) {
            const tokens = Array.from({ length: step.feed }, () => newest++);
            context.reserve(tokens.length);
            context.append(rows(tokens, context.end), tokens.length);
            held.push(...tokens);
          } else if ("slide" in step && held.length > prefix) {
            const count = Math.min(step.slide, held.length - prefix);
            context.slide(prefix, count);
            held = [...held.slice(0, prefix), ...held.slice(prefix + count)];
          } else if ("truncate" in step && held.length - step.truncate >= prefix) {
            held = held.slice(0, held.length - step.truncate);
            context.truncate(held.length);
          } else if ("clear" in step) {
            context.clear();
            held = [];
          } else if ("branch" in step) {
            const copy = context.branch(held.length);
            context.clear();
            context = copy;
          }
          expect(context.position).toBe(held.length);
          const past = context.past();
          expect(past.held).toBe(held.length);
          const expected = rows(held, context.start);
          if (held.length === 0) continue;
          expect(difference(past.keys, expected.keys)).toBeLessThan(1e-3);
          expect([...past.values]).toEqual([...expected.values]);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("an empty context has one row, which is masked", () => {
    expect(new Context(SHAPE, FREQUENCIES, 10, 4).past()).toMatchObject({ rows: 1, held: 0 });
  });

  it("positions are rounded as float16 rounds them", () => {
    expect([0, 2047, 2048, 2049, 2050, 2051, 4097, 4098, 4102].map(roundedPosition)).toEqual([
      0, 2047, 2048, 2048, 2050, 2052, 4096, 4096, 4104,
    ]);
  });
});

describe("the window of chunks", () => {
  it("evicts whole chunks, the oldest first, and as many as are needed", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(sizes, fc.nat(60), fc.nat(3), fc.nat(10), (positions, needed, keep, spare) => {
        const window = positions.reduce((all, size, chunk) => all.opened(chunk, size), new Window([1, 2]));
        const found = window.withoutOldest(needed, 0, keep, [spare, 0]);
        if (!found) return needed === 0 || positions.length <= keep;
        const { first, last, positions: freed } = found.left;
        expect(first).toBe(0);
        expect(found.window.chunks.map(({ chunk }) => chunk)).toEqual(
          positions.map((_, chunk) => chunk).slice(last + 1),
        );
        expect(window.positions - found.window.positions).toBe(freed);
        const kept = found.window.chunks.length;
        // Too little is freed only where the newest chunks must stay.
        if (freed < needed) expect(kept).toBe(keep);
        // Without its last chunk the slide would not have freed what was wished.
        if (kept >= keep) expect(freed - (positions[last] as number)).toBeLessThan(needed + spare);
        return kept >= Math.min(keep, positions.length);
      }),
    );
  });
});

describe("chunks", () => {
  const LENGTHS = fc.array(fc.integer({ min: 0, max: 9000 }), { maxLength: 12 });

  it("hold every sample once and in order, however the audio is split", () => {
    fc.assert(
      fc.property(LENGTHS, (lengths) => {
        const chunker = new Chunker<number>();
        const total = lengths.reduce((sum, length) => sum + length, 0);
        let next = 0;
        const chunks = lengths.flatMap((length, call) => {
          const block = Float32Array.from({ length }, () => (next++ % 7919) / 8000);
          return chunker.push(block, [`block${call}`], call);
        });
        chunks.push(...chunker.flush(-1));
        expect(chunks).toHaveLength(Math.ceil(total / CHUNK_SAMPLES));
        const ends = lengths.map((_, i) => lengths.slice(0, i + 1).reduce((sum, length) => sum + length, 0));
        for (const [index, { samples, flags, origin }] of chunks.entries()) {
          const [from, to] = [index * CHUNK_SAMPLES, Math.min((index + 1) * CHUNK_SAMPLES, total)];
          const expected = Float32Array.from({ length: to - from }, (_, i) => ((from + i) % 7919) / 8000);
          expect(difference(samples.subarray(0, to - from), expected)).toBe(0);
          const within = ends.flatMap((end, i) => {
            const begin = end - (lengths[i] as number);
            return begin < end && begin < to && end > from ? [`block${i}`] : [];
          });
          const padded = to - from < CHUNK_SAMPLES;
          expect(flags).toEqual([...within, ...(padded ? ["padded"] : [])].sort());
          expect(origin).toBe(padded ? -1 : ends.findIndex((end) => end >= to));
        }
      }),
      { numRuns: 40 },
    );
  });

  it("are the same for every split of a resampled recording", () => {
    const tone = Float32Array.from({ length: 30_000 }, (_, i) => Math.sin(i / 9));
    const cut = (lengths: readonly number[]) => {
      const intake = new Intake<null>();
      let start = 0;
      const chunks = [...lengths, tone.length].flatMap((length) => {
        const block = tone.subarray(start, start + length);
        start += block.length;
        return intake.push(block, 44_100, [], null);
      });
      return [...chunks, ...intake.finish(null)].map(({ samples }) => [...samples]);
    };
    const whole = cut([]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 8 }), (lengths) => {
        expect(cut(lengths)).toEqual(whole);
      }),
      { numRuns: 10 },
    );
  });

  it("a change of the rate loses no sample", () => {
    const intake = new Intake<null>();
    const chunks = [
      ...intake.push(new Float32Array(48_000), 48_000, [], null),
      ...intake.push(new Float32Array(16_000), 16_000, [], null),
      ...intake.finish(null),
    ];
    expect(chunks).toHaveLength(5);
  });

  it("are flagged where samples are clipped or broken", () => {
    const loud = new Float32Array(CHUNK_SAMPLES);
    loud.fill(1, 0, 4);
    const broken = new Float32Array(CHUNK_SAMPLES);
    broken[5] = Number.NaN;
    const intake = new Intake<null>();
    const chunks = [...intake.push(loud, 16_000, [], null), ...intake.push(broken, 16_000, ["gated"], null)];
    expect(chunks.map(({ flags }) => flags)).toEqual([["clipped"], ["gated", "repaired"]]);
    expect(chunks[1]?.samples[5]).toBe(0);
    expect(levelDb(new Float32Array(CHUNK_SAMPLES))).toBe(-120);
  });
});

it("numbers are rounded as Python rounds them, halves to the even neighbour", () => {
  expect([0.03125, 0.09375, 0.12345, 0.5].map((value) => rounded(value, 4))).toEqual([
    0.0312, 0.0938, 0.1235, 0.5,
  ]);
  expect([0.5, 1.5, 2.5, 30.5].map((value) => rounded(value, 0))).toEqual([0, 2, 2, 30]);
});
