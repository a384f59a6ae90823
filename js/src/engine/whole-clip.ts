/**
 * Log-mel features of a clip with one floor for the whole clip, as `ai_widgets/audio/clip_features.py`: recordings have
 * such clips (`floor` is `clip`), and are heard again with the same features.
 */

import { CHUNK_SAMPLES, EDGE, HOP, type LogMel, MELS_PER_CHUNK } from "./log-mel";

/** Samples after a chunk that the window of its last frame covers. */
const RIGHT = EDGE - HOP;

/** A clip of whole chunks. Its maximum is measured when its first features are needed. */
export class WholeClip {
  private maximum: number | null = null;

  constructor(private readonly chunks: readonly Float32Array[]) {}

  /** Compute the features of a chunk by its place in the clip: float32 [bins, 40] in rows of a bin. */
  mels(logMel: LogMel, place: number): Float32Array {
    this.maximum ??= Math.max(...this.chunks.map((_, at) => logMel.highest(this.padded(at), MELS_PER_CHUNK)));
    return logMel.scaled(this.padded(place), this.maximum);
  }

  /** Return a chunk with the samples on both sides that its windows cover, reflected at the ends of the clip. */
  private padded(place: number): Float32Array {
    const { chunks } = this;
    const chunk = chunks[place] as Float32Array;
    const before = chunks[place - 1];
    const after = chunks[place + 1];
    const padded = new Float32Array(EDGE + CHUNK_SAMPLES + RIGHT);
    padded.set(before ? before.subarray(-EDGE) : chunk.slice(1, EDGE + 1).reverse());
    padded.set(chunk, EDGE);
    padded.set(
      after ? after.subarray(0, RIGHT) : chunk.slice(-RIGHT - 1, -1).reverse(),
      EDGE + CHUNK_SAMPLES,
    );
    return padded;
  }
}
