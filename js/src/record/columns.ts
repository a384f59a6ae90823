/** Growing columns of numbers: storage for hours of chunks. A missing value reads as NaN. */

/** Number of rows that a table allocates at first. */
const FIRST_ROWS = 256;

export class Columns<Name extends string> {
  /** Highest written row + 1. */
  length = 0;
  /** Columns by name; replaced when they grow, so callers must not keep them. */
  readonly of: Record<Name, Float64Array>;
  readonly #names: readonly Name[];
  /** Number of allocated rows. */
  #room = 0;

  constructor(names: readonly Name[]) {
    this.#names = names;
    this.of = Object.fromEntries(names.map((name) => [name, new Float64Array(0)])) as Record<
      Name,
      Float64Array
    >;
  }

  write(row: number, values: Readonly<Record<Name, number>>): void {
    this.reach(row);
    for (const name of this.#names) this.of[name][row] = values[name];
  }

  /** Allocate memory up to `row`. */
  reach(row: number): void {
    if (row >= this.#room) {
      for (const name of this.#names) this.of[name] = grown(this.of[name], row + 1, Number.NaN);
      this.#room = this.of[this.#names[0] as Name].length;
    }
    if (row >= this.length) this.length = row + 1;
  }

  get bytes(): number {
    return this.#names.reduce((sum, name) => sum + this.of[name].byteLength, 0);
  }
}

export type Numbers = Float64Array | Float32Array | Int32Array | Uint32Array | Uint16Array | Uint8Array;

/** Return `array` if it has `length` values, else a longer copy that is filled up with `empty`. */
export function grown<T extends Numbers>(array: T, length: number, empty: number): T {
  if (array.length >= length) return array;
  const longer = Math.max(FIRST_ROWS, length, Math.ceil(array.length * 1.5));
  const copy = new (array.constructor as new (length: number) => T)(longer);
  copy.set(array);
  if (empty !== 0) copy.fill(empty, array.length);
  return copy;
}
