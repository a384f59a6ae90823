/** Audio as the model heard it: the newest ten minutes of a session, chunk by chunk. */
import { CHUNK_SECONDS } from "../record/events";

/** Samples of one chunk of 0.4 s at 16 kHz. */
export const CHUNK_SAMPLES = 6400;
/** Chunks that are kept: ten minutes, 38 MB, as a record of the Python package keeps without a folder. */
export const KEPT_CHUNKS = 1500;

export class KeptAudio {
  readonly #chunks: Float32Array[] = [];
  /** Index of the oldest kept chunk. */
  #first = 0;
  #discards = false;

  constructor(private readonly most: number = KEPT_CHUNKS) {}

  /** Index of the oldest kept chunk. */
  get first(): number {
    return this.#first;
  }

  /** Index after the newest chunk. */
  get end(): number {
    return this.#first + this.#chunks.length;
  }

  /** Seconds that are kept at most. */
  get most_s(): number {
    return this.most * CHUNK_SECONDS;
  }

  /** Seconds that were discarded. */
  get discarded_s(): number {
    return this.#first * CHUNK_SECONDS;
  }

  /** Add a chunk, and discard the oldest one above the limit. Returns whether it is the first that is discarded. */
  add(chunk: number, samples: Float32Array): boolean {
    // A chunk without sound is silent, so that chunk and sample number agree.
    while (this.end < chunk) this.#chunks.push(new Float32Array(CHUNK_SAMPLES));
    if (chunk < this.end) return false;
    this.#chunks.push(samples);
    if (this.#chunks.length <= this.most) return false;
    this.#first += this.#chunks.length - this.most;
    this.#chunks.splice(0, this.#chunks.length - this.most);
    const begins = !this.#discards;
    this.#discards = true;
    return begins;
  }

  /** Return the samples of a chunk; null if they are discarded or have not arrived. */
  get(chunk: number): Float32Array | null {
    return this.#chunks[chunk - this.#first] ?? null;
  }

  /** Return all kept chunks, oldest first. */
  chunks(): readonly Float32Array[] {
    return this.#chunks;
  }
}
