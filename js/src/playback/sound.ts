/** Sound that can be played, and the answer to a request for a chunk's sound. */

/** Mono sound, ready to be played. */
export interface Sound {
  samples: Float32Array;
  /** Sample rate in Hz. */
  rate: number;
}

/** Sound of a chunk; `why` is a sentence on why there is none. */
export type Fetched = { sound: Sound } | { why: string };
