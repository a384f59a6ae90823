/** Log-mels: 32 bands of ten frames per chunk, and their averages over increasingly long stretches. */

import { grown } from "./columns";
import { MEL_BANDS, MEL_FRAMES } from "./events";

const CHUNK_BYTES = MEL_BANDS * MEL_FRAMES;

/** One level of averages: a cell has `MEL_BANDS` bytes and the number of averaged chunks. */
interface Level {
  bands: Uint8Array;
  chunks: Uint32Array;
}

export class MelTable {
  #frames = new Uint8Array(0);
  /** `#levels[0]` averages the frames of one chunk, each further level twice as many chunks. */
  readonly #levels: Level[] = [];

  /** Store a chunk's bytes in base64, frame by frame. Anything other than 320 bytes is ignored. */
  set(chunk: number, base64: string): void {
    const bytes = decoded(base64);
    if (bytes) this.setBytes(chunk, bytes);
  }

  /** Store a chunk's 320 bytes. */
  setBytes(chunk: number, bytes: Uint8Array): void {
    this.#frames = grown(this.#frames, (chunk + 1) * CHUNK_BYTES, 0);
    this.#frames.set(bytes, chunk * CHUNK_BYTES);
    this.#average(chunk, bytes);
  }

  has(chunk: number): boolean {
    return (this.#levels[0]?.chunks[chunk] ?? 0) > 0;
  }

  /** Return the ten frames of a chunk, or null; a view, not a copy. */
  frames(chunk: number): Uint8Array | null {
    return this.has(chunk) ? this.#frames.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES) : null;
  }

  /** Return the average over `2 ** level` chunks from `index << level` on, or null; a view, not a copy. */
  average(level: number, index: number): Uint8Array | null {
    const found = this.#levels[level];
    if (!found) return level > 0 && index === 0 ? this.average(level - 1, 0) : null;
    if (!found.chunks[index]) return null;
    return found.bands.subarray(index * MEL_BANDS, (index + 1) * MEL_BANDS);
  }

  base64(chunk: number): string {
    const frames = this.frames(chunk);
    return frames ? btoa(String.fromCharCode(...frames)) : "";
  }

  get bytes(): number {
    const averages = this.#levels.reduce(
      (sum, { bands, chunks }) => sum + bands.byteLength + chunks.byteLength,
      0,
    );
    return this.#frames.byteLength + averages;
  }

  #average(chunk: number, bytes: Uint8Array): void {
    const ground = this.#reach(0, chunk);
    for (let band = 0; band < MEL_BANDS; band++) {
      let sum = 0;
      for (let frame = 0; frame < MEL_FRAMES; frame++) sum += bytes[frame * MEL_BANDS + band] as number;
      ground.bands[chunk * MEL_BANDS + band] = Math.round(sum / MEL_FRAMES);
    }
    ground.chunks[chunk] = 1;
    // Up to the level at which chunk 0 and this one are separate cells; the level above merges them.
    for (let n = 1, at = chunk >> 1; n === 1 || 1 << (n - 1) < this.#known; n++, at >>= 1) {
      const below = this.#levels[n - 1] as Level;
      const level = this.#reach(n, at);
      const [from, to] = [2 * at * MEL_BANDS, at * MEL_BANDS];
      const left = below.chunks[2 * at] ?? 0;
      const right = below.chunks[2 * at + 1] ?? 0;
      for (let band = 0; band < MEL_BANDS; band++) {
        const one = left > 0 ? left * (below.bands[from + band] as number) : 0;
        const other = right > 0 ? right * (below.bands[from + MEL_BANDS + band] as number) : 0;
        level.bands[to + band] = Math.round((one + other) / (left + right));
      }
      level.chunks[at] = left + right;
    }
  }

  get #known(): number {
    return this.#levels[0]?.chunks.length ?? 0;
  }

  #reach(n: number, cell: number): Level {
    const known = this.#levels[n];
    const level = known ?? { bands: new Uint8Array(0), chunks: new Uint32Array(0) };
    level.chunks = grown(level.chunks, cell + 1, 0);
    level.bands = grown(level.bands, level.chunks.length * MEL_BANDS, 0);
    const below = this.#levels[n - 1];
    if (!known && below) {
      // Until now all chunks were in the first cell of the level below.
      level.bands.set(below.bands.subarray(0, MEL_BANDS));
      level.chunks[0] = below.chunks[0] ?? 0;
    }
    this.#levels[n] = level;
    return level;
  }
}

function decoded(base64: string): Uint8Array | null {
  if (!base64) return null;
  let binary: string;
  try {
    binary = atob(base64);
  } catch (error) {
    console.warn("A chunk's log-mel is no base64 and is not shown.", error);
    return null;
  }
  if (binary.length !== CHUNK_BYTES) return null;
  const bytes = new Uint8Array(CHUNK_BYTES);
  for (let i = 0; i < CHUNK_BYTES; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
