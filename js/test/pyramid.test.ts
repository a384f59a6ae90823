/** The summaries against what one gets by looking at every chunk. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Columns } from "../src/record/columns";
import { MEL_BANDS, MEL_FRAMES } from "../src/record/events";
import { Interned } from "../src/record/interned";
import { MelTable } from "../src/record/mel";
import { largest, latest, smallest, summit, united } from "../src/record/pyramid";

/** Chunks in any order, some twice, some never. */
const writes = fc.array(fc.tuple(fc.nat(1500), fc.nat(9)), { maxLength: 60 });
const stretch = fc.tuple(fc.nat(1600), fc.nat(1600));

describe("a pyramid", () => {
  const kinds = [
    ["largest", () => largest(), (values: number[]) => Math.max(0, ...values)],
    ["smallest", () => smallest(), (values: number[]) => Math.min(Number.POSITIVE_INFINITY, ...values)],
    ["united", () => united(), (values: number[]) => values.reduce((all, value) => all | value, 0)],
    ["latest", () => latest(), (values: number[]) => Math.max(0, ...values)],
  ] as const;

  it.each(kinds)("of the %s sums up any stretch", (_name, make, brute) => {
    fc.assert(
      fc.property(writes, stretch, (written, [a, b]) => {
        const pyramid = make();
        const values = new Map<number, number>();
        for (const [chunk, value] of written) {
          pyramid.set(chunk, value);
          values.set(chunk, value);
        }
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const inside = [...values].filter(([chunk]) => chunk >= from && chunk < to).map(([, value]) => value);
        expect(pyramid.range(from, to)).toBe(brute(inside));
        // Cells of every level, and one beyond the top.
        for (let level = 0; level < 13; level++) {
          const index = from >> level;
          const under = [...values].filter(([chunk]) => chunk >> level === index).map(([, value]) => value);
          expect(pyramid.cell(level, index)).toBe(brute(under));
        }
      }),
    );
  });

  it("names the chunk of the largest value", () => {
    fc.assert(
      fc.property(writes, stretch, (written, [a, b]) => {
        const values = new Map<number, number>();
        const pyramid = summit((chunk) => values.get(chunk) ?? Number.NaN);
        for (const [chunk, value] of written) {
          values.set(chunk, value);
          pyramid.set(chunk, chunk);
        }
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        let best = -1;
        for (const [chunk, value] of [...values].sort(([one], [other]) => one - other)) {
          if (chunk < from || chunk >= to) continue;
          if (best < 0 || value > (values.get(best) as number)) best = chunk;
        }
        expect(pyramid.range(from, to)).toBe(best);
      }),
    );
  });

  it("keeps what it knew while it grows by leaps", () => {
    const pyramid = largest();
    pyramid.set(3, 5);
    pyramid.set(70_000, 2);
    expect(pyramid.range(0, 100_000)).toBe(5);
    expect(pyramid.range(4, 100_000)).toBe(2);
    expect(pyramid.cell(14, 0)).toBe(5);
    expect(pyramid.cell(30, 0)).toBe(5);
    expect(pyramid.cell(30, 1)).toBe(0);
  });
});

describe("the log-mel", () => {
  const picture = fc.uint8Array({ minLength: MEL_FRAMES * MEL_BANDS, maxLength: MEL_FRAMES * MEL_BANDS });
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

  it("averages any stretch, holes left out", () => {
    const written = fc.uniqueArray(fc.tuple(fc.nat(5000), picture), {
      selector: ([chunk]) => chunk,
      maxLength: 12,
    });
    fc.assert(
      fc.property(written, fc.nat(5000), (chunks, chunk) => {
        const table = new MelTable();
        for (const [k, bytes] of chunks) table.set(k, base64(bytes));
        for (const [k, bytes] of chunks) {
          expect(table.frames(k)).toEqual(bytes);
          expect(table.base64(k)).toBe(base64(bytes));
        }
        for (let level = 0; level < 15; level++) {
          const under = chunks.filter(([k]) => k >> level === chunk >> level);
          const average = table.average(level, chunk >> level);
          if (under.length === 0) {
            expect(average).toBeNull();
            continue;
          }
          for (const band of [0, 17, MEL_BANDS - 1]) {
            let sum = 0;
            for (const [, bytes] of under) {
              for (let f = 0; f < MEL_FRAMES; f++) sum += bytes[f * MEL_BANDS + band] as number;
            }
            // Each level rounds once, by half a step at most.
            const off = Math.abs((average?.[band] as number) - sum / (under.length * MEL_FRAMES));
            expect(off).toBeLessThanOrEqual(0.5 * (level + 1));
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe("columns", () => {
  it("hold what is written, and NaN between", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3000), fc.double({ noNaN: true })), { maxLength: 30 }), (rows) => {
        const columns = new Columns(["a", "b"]);
        const known = new Map<number, number>();
        for (const [row, value] of rows) {
          columns.write(row, { a: value, b: -value });
          known.set(row, value);
        }
        expect(columns.length).toBe(Math.max(0, ...[...known.keys()].map((row) => row + 1)));
        for (let row = 0; row < columns.length; row += 7) {
          expect(columns.of.a[row]).toBe(known.get(row) ?? Number.NaN);
        }
        for (const [row, value] of known) expect(columns.of.b[row]).toBe(-value);
      }),
    );
  });

  it("name equal values alike", () => {
    const flags = new Interned<string[]>();
    const first = flags.number(["clipped"]);
    expect(flags.number(["padded"])).not.toBe(first);
    expect(flags.number(["clipped"])).toBe(first);
    expect(flags.value(first)).toEqual(["clipped"]);
    expect(flags.size).toBe(2);
  });
});
