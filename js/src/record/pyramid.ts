/**
 * A column and its summaries over 2, 4, 8, … chunks, so that a picture of hours reads no more cells than it has
 * pixels. Writing a value updates one cell per level.
 */

type Cells = Float64Array | Float32Array | Int32Array | Uint16Array | Uint8Array;

/** Number of cells that the lowest level allocates at first; a power of two. */
const FIRST_ROWS = 256;

export class Pyramid<T extends Cells> {
  /** `levels[n][i]` summarises the chunks `i << n` to `(i + 1) << n`, exclusive. Replaced when they grow. */
  levels: T[] = [];

  /**
   * @param make - Allocates an array of that many cells.
   * @param merge - Summarises two cells; must not depend on their order.
   * @param empty - Cell of a missing chunk; neutral in `merge`.
   */
  constructor(
    private readonly make: (cells: number) => T,
    private readonly merge: (a: number, b: number) => number,
    private readonly empty: number,
  ) {}

  set(chunk: number, value: number): void {
    this.#reach(chunk);
    const [ground] = this.levels;
    if (ground) ground[chunk] = value;
    let at = chunk;
    for (let n = 1; n < this.levels.length; n++) {
      const below = this.levels[n - 1] as T;
      at >>= 1;
      (this.levels[n] as T)[at] = this.merge(below[2 * at] as number, below[2 * at + 1] as number);
    }
  }

  /** Return the summary over `2 ** level` chunks from `index << level` on. */
  cell(level: number, index: number): number {
    const cells = this.levels[level];
    if (cells) return cells[index] ?? this.empty;
    // Above the top level, the top cell summarises everything.
    return index === 0 ? (this.levels.at(-1)?.[0] ?? this.empty) : this.empty;
  }

  /** Summarise the chunks `from` to `to`, exclusive. */
  range(from: number, to: number): number {
    let found = this.empty;
    let at = Math.max(0, from);
    const end = Math.min(to, this.levels[0]?.length ?? 0);
    while (at < end) {
      let level = 0;
      // The widest cell that begins here and ends before `to`.
      while (at % (2 << level) === 0 && at + (2 << level) <= end) level += 1;
      found = this.merge(found, this.cell(level, at >> level));
      at += 1 << level;
    }
    return found;
  }

  get bytes(): number {
    return this.levels.reduce((sum, cells) => sum + cells.byteLength, 0);
  }

  /** Double the arrays until `chunk` has a cell; the length of the lowest level is a power of two. */
  #reach(chunk: number): void {
    let size = this.levels[0]?.length ?? 0;
    if (chunk < size) return;
    if (size === 0) size = FIRST_ROWS;
    while (size <= chunk) size *= 2;
    const before = this.levels;
    this.levels = [];
    for (let cells = size; cells >= 1; cells /= 2) {
      const level = this.make(cells);
      if (this.empty !== 0) level.fill(this.empty);
      const known = before[this.levels.length];
      if (known) level.set(known);
      // In a new level only the first cell has data: those of the old top.
      else level[0] = before.at(-1)?.[0] ?? this.empty;
      this.levels.push(level);
    }
  }
}

const floats = (cells: number) => new Float32Array(cells);

/** Create a pyramid of the largest value of each stretch; `empty` if there is none. */
export function largest(empty = 0): Pyramid<Float32Array> {
  return new Pyramid(floats, Math.max, empty);
}

export function smallest(): Pyramid<Float32Array> {
  return new Pyramid(floats, Math.min, Number.POSITIVE_INFINITY);
}

/** Create a pyramid of the flags that occur in each stretch, as bits. */
export function united(): Pyramid<Uint16Array> {
  return new Pyramid(
    (cells) => new Uint16Array(cells),
    (a, b) => a | b,
    0,
  );
}

/** Create a pyramid of the largest whole number, such as the newest revision. Exact up to 2 ** 53. */
export function latest(): Pyramid<Float64Array> {
  return new Pyramid((cells) => new Float64Array(cells), Math.max, 0);
}

/**
 * Create a pyramid of the chunk with the largest value in each stretch, −1 if there is none; of equal values, the
 * first.
 */
export function summit(heightOf: (chunk: number) => number): Pyramid<Int32Array> {
  return new Pyramid(
    (cells) => new Int32Array(cells),
    (a, b) => {
      if (a < 0 || b < 0) return Math.max(a, b);
      const [first, second] = a < b ? [a, b] : [b, a];
      return heightOf(second) > heightOf(first) ? second : first;
    },
    -1,
  );
}
