/**
 * Chunks held in the context, and the eviction of the oldest ones when the context is full, as
 * `ai_widgets/session/held.py`. A chunk is evicted as a whole: its block, the token decided after the block, and the
 * reply, if any. A `Window` is immutable, so that a failed step changes nothing.
 */

/** Divisor of the context's size: a slide evicts until 1/16 of the context is free, so that not every chunk slides. */
export const SPARE = 16;

/** Chunk in the context: index, number of positions, and whether the positions include a reply. */
export interface Held {
  readonly chunk: number;
  readonly positions: number;
  readonly turn: boolean;
}

/** Chunks evicted by one slide: the first and the last, and the number of evicted replies and positions. */
export interface Left {
  readonly first: number;
  readonly last: number;
  readonly turns: number;
  readonly positions: number;
}

export class Window {
  /**
   * @param prefix Tokens at the start of the context; empty before anything was fed.
   * @param chunks Chunks in the context, the oldest first.
   */
  constructor(
    readonly prefix: readonly number[] = [],
    readonly chunks: readonly Held[] = [],
  ) {}

  /** Number of positions in use, including the prefix. */
  get positions(): number {
    return this.chunks.reduce((sum, held) => sum + held.positions, this.prefix.length);
  }

  /** Index of the oldest chunk in the context, or null. */
  get oldest(): number | null {
    return this.chunks[0]?.chunk ?? null;
  }

  /** Return the window after the prefix was fed to an empty context. */
  begun(prefix: readonly number[]): Window {
    return new Window(prefix);
  }

  /** Return the window after the block of a chunk was fed. */
  opened(chunk: number, positions: number): Window {
    return new Window(this.prefix, [...this.chunks, { chunk, positions, turn: false }]);
  }

  /** Return the window after tokens of the newest chunk were fed behind its block; `turn`: they belong to a reply. */
  extended(positions: number, turn = false): Window {
    const newest = this.chunks.at(-1);
    if (!newest) throw new RangeError("The context holds no chunk that could be extended.");
    const { chunk } = newest;
    const longer = { chunk, positions: newest.positions + positions, turn: newest.turn || turn };
    return new Window(this.prefix, [...this.chunks.slice(0, -1), longer]);
  }

  /**
   * Evict the oldest chunks; null if nothing is evicted.
   *
   * @param positions Positions to free; 0 or less for none.
   * @param chunks Chunks to free; 0 or less for none.
   * @param keep Number of the newest chunks that are never evicted.
   * @param spare Positions and chunks to free in addition, if any are to be freed; the newest chunk is kept.
   */
  withoutOldest(
    positions: number,
    chunks: number,
    keep: number,
    spare: readonly [positions: number, chunks: number],
  ): { window: Window; left: Left } | null {
    const wishedPositions = positions > 0 ? positions + spare[0] : 0;
    const wishedChunks = chunks > 0 ? chunks + spare[1] : 0;
    let count = 0;
    let freed = 0;
    for (const held of this.chunks) {
      const must = freed < positions || count < chunks;
      const may = freed < wishedPositions || count < wishedChunks;
      const rest = this.chunks.length - count;
      if (!(must && rest > keep) && !(may && rest > Math.max(keep, 1))) break;
      count++;
      freed += held.positions;
    }
    const gone = this.chunks.slice(0, count);
    const [first, last] = [gone[0], gone.at(-1)];
    if (!first || !last) return null;
    const turns = gone.filter((held) => held.turn).length;
    return {
      window: new Window(this.prefix, this.chunks.slice(count)),
      left: { first: first.chunk, last: last.chunk, turns, positions: freed },
    };
  }
}
