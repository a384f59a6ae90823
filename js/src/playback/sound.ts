/** Sound that can be played, and the answer to a request for a chunk's sound. */

/** Mono sound, ready to be played. */
export interface Sound {
  samples: Float32Array;
  /** Samples per second. */
  rate: number;
}

/** The sound of a chunk; `why` is a sentence on why there is none. */
export type Fetched = { sound: Sound } | { why: string };
