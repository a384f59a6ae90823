/**
 * Keys and values of one session's context, with a sliding window behind a fixed prefix, as
 * `ai_widgets/model/context.py`. A step returns the rows of its own tokens only; they are appended here.
 *
 * Attention depends only on the distances between positions, so that a slide changes no key but those of the prefix,
 * which are rotated forward to the positions just before the oldest remaining one. The buffers hold about twice the
 * limit. When their end is reached, all positions move to the front and their keys are rotated back once. The prefix is
 * always rotated from its original keys, so that rounding errors do not accumulate.
 */

/** Sizes of the keys and values of one position. */
export interface CacheShape {
  readonly layers: number;
  readonly key_heads: number;
  readonly head_size: number;
}

/** Keys and values as a step takes and returns them: float32 [layers, key heads, positions, head size]. */
export interface Rows {
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

export class Context {
  /** Range in the buffers of the positions in use. A token is rotated by its index in the buffers. */
  start = 0;
  end = 0;
  private capacity = 0;
  private buffers: Rows = { keys: new Float32Array(0), values: new Float32Array(0) };
  private prefix: Rows | null = null;
  /** Result of `past`, reused by the next call. */
  private packed: Rows = { keys: new Float32Array(0), values: new Float32Array(0) };

  /**
   * @param frequencies RoPE's inverse frequencies, one for each pair of a head.
   * @param limit Maximum number of positions; the session checks it before a step. It may change between steps.
   * @param firstCapacity Positions allocated first; full buffers double, up to the length that the limit requires.
   */
  constructor(
    private readonly shape: CacheShape,
    private readonly frequencies: readonly number[],
    public limit: number,
    private readonly firstCapacity: number,
  ) {}

  /** Number of positions in use. */
  get position(): number {
    return this.end - this.start;
  }

  private get heads(): number {
    return this.shape.layers * this.shape.key_heads;
  }

  /** Discard all positions; the memory stays allocated. */
  clear(): void {
    this.prefix = null;
    this.start = 0;
    this.end = 0;
  }

  /** Discard all but the first positions. */
  truncate(position: number): void {
    this.end = this.start + position;
  }

  /** Return an independent context with a copy of the first positions. */
  branch(position: number): Context {
    const other = new Context(this.shape, this.frequencies, this.limit, this.firstCapacity);
    other.start = this.start;
    other.end = this.start + position;
    other.capacity = this.capacity;
    other.buffers = { keys: this.buffers.keys.slice(), values: this.buffers.values.slice() };
    other.prefix = this.prefix;
    return other;
  }

  /** Make room for more positions. After it, `end` is the position of the next token. */
  reserve(count: number): void {
    if (this.end + count <= this.capacity) return;
    const most = this.start === 0 ? this.limit : 2 * this.limit;
    if (this.capacity < most) {
      this.grow(Math.min(Math.max(this.end + count, 2 * this.capacity, this.firstCapacity), most));
    }
    if (this.end + count > this.capacity) this.moveToFront();
    if (this.end + count > this.capacity) this.grow(this.end + count);
  }

  /** Append the rows of `count` new positions; `reserve` must have been called for them. */
  append({ keys, values }: Rows, count: number): void {
    const size = this.shape.head_size;
    for (let head = 0; head < this.heads; head++) {
      const from = head * count * size;
      const to = (head * this.capacity + this.end) * size;
      this.buffers.keys.set(keys.subarray(from, from + count * size), to);
      this.buffers.values.set(values.subarray(from, from + count * size), to);
    }
    this.end += count;
  }

  /**
   * Return the keys and values of all positions in use as the step takes them, valid until the next call. An empty
   * context has one row, which `held` 0 masks, because a graph takes no tensor without a row.
   */
  past(): Rows & { readonly rows: number; readonly held: number } {
    const size = this.shape.head_size;
    const rows = Math.max(this.position, 1);
    const length = this.heads * rows * size;
    if (this.packed.keys.length < length) {
      const room = this.heads * Math.max(rows, Math.min(2 * rows, this.limit)) * size;
      this.packed = { keys: new Float32Array(room), values: new Float32Array(room) };
    }
    const keys = this.packed.keys.subarray(0, length);
    const values = this.packed.values.subarray(0, length);
    if (this.position === 0) {
      keys.fill(0);
      values.fill(0);
    }
    this.copy(keys, values, rows, this.start, this.position);
    return { keys, values, rows, held: this.position };
  }

  /**
   * Evict positions behind the prefix.
   *
   * @param keep Positions of the prefix, the same at every call until `clear`.
   */
  slide(keep: number, count: number): void {
    if (!this.prefix) {
      const length = this.heads * keep * this.shape.head_size;
      const prefix = { keys: new Float32Array(length), values: new Float32Array(length) };
      this.copy(prefix.keys, prefix.values, keep, this.start, keep);
      this.prefix = prefix;
    }
    this.start += count;
    this.writePrefix();
  }

  /** Write the prefix at `start`, rotated from its original keys. */
  private writePrefix(): void {
    if (!this.prefix) return;
    const size = this.shape.head_size;
    const keep = this.prefix.keys.length / this.heads / size;
    for (let head = 0; head < this.heads; head++) {
      const to = (head * this.capacity + this.start) * size;
      this.buffers.keys.set(this.prefix.keys.subarray(head * keep * size, (head + 1) * keep * size), to);
      this.buffers.values.set(this.prefix.values.subarray(head * keep * size, (head + 1) * keep * size), to);
    }
    this.rotate(this.buffers.keys, this.capacity, this.start, keep, this.start);
  }

  /** Copy `count` positions of every head to arrays with `rows` positions a head. */
  private copy(keys: Float32Array, values: Float32Array, rows: number, start: number, count: number): void {
    const size = this.shape.head_size;
    for (let head = 0; head < this.heads; head++) {
      const from = (head * this.capacity + start) * size;
      keys.set(this.buffers.keys.subarray(from, from + count * size), head * rows * size);
      values.set(this.buffers.values.subarray(from, from + count * size), head * rows * size);
    }
  }

  private grow(capacity: number): void {
    const length = this.heads * capacity * this.shape.head_size;
    const keys = new Float32Array(length);
    const values = new Float32Array(length);
    const size = this.shape.head_size;
    for (let head = 0; head < this.heads; head++) {
      const from = (head * this.capacity + this.start) * size;
      const to = (head * capacity + this.start) * size;
      keys.set(this.buffers.keys.subarray(from, from + this.position * size), to);
      values.set(this.buffers.values.subarray(from, from + this.position * size), to);
    }
    this.buffers = { keys, values };
    this.capacity = capacity;
  }

  /** Move all positions to the front of the buffers and rotate every key back by the same distance. */
  private moveToFront(): void {
    if (this.start === 0) return;
    const size = this.shape.head_size;
    const { start, position } = this;
    for (let head = 0; head < this.heads; head++) {
      const front = head * this.capacity * size;
      const from = front + start * size;
      this.buffers.keys.copyWithin(front, from, from + position * size);
      this.buffers.values.copyWithin(front, from, from + position * size);
    }
    this.start = 0;
    this.end = position;
    this.rotate(this.buffers.keys, this.capacity, 0, position, -start);
    this.writePrefix();
  }

  /** Rotate keys that RoPE has already rotated, by the same angle at `count` positions of every head. */
  private rotate(keys: Float32Array, rows: number, start: number, count: number, positions: number): void {
    const half = this.frequencies.length;
    const cos = Float32Array.from(this.frequencies, (frequency) => Math.cos(positions * frequency));
    const sin = Float32Array.from(this.frequencies, (frequency) => Math.sin(positions * frequency));
    for (let head = 0; head < this.heads; head++) {
      for (let row = start; row < start + count; row++) {
        const at = (head * rows + row) * 2 * half;
        for (let i = 0; i < half; i++) {
          const first = keys[at + i] as number;
          const second = keys[at + half + i] as number;
          const c = cos[i] as number;
          const s = sin[i] as number;
          keys[at + i] = first * c - second * s;
          keys[at + half + i] = second * c + first * s;
        }
      }
    }
  }
}

/** Round a position through float16, to the even neighbour: exact up to 2048, then multiples of 2, of 4, … */
export function roundedPosition(position: number): number {
  const step = position < 2048 ? 1 : 2 ** (Math.floor(Math.log2(position)) - 10);
  const whole = Math.floor(position / step);
  const rest = position / step - whole;
  const up = rest > 0.5 || (rest === 0.5 && whole % 2 === 1);
  return (whole + (up ? 1 : 0)) * step;
}
