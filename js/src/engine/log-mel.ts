/**
 * Log-mel features of a stream in the model's training format, with the running floor, as
 * `ai_widgets/audio/features.py` computes them: Hann window 400, hop 160, centred with reflect padding, last STFT frame
 * dropped, power, mel filters, clamp at 1e-10, log10, floor at (maximum − 8), then (x + 4) / 4.
 */

import { MEL_BANDS, MEL_FRAMES } from "../record/events";
import { RealFourier } from "./fourier";

/** Samples of one chunk, 0.4 s at 16 kHz. */
export const CHUNK_SAMPLES = 6400;
/** Log-mel frames of one chunk, 10 ms each. */
export const MELS_PER_CHUNK = 40;
/** Length of the STFT window, in samples (25 ms). */
const N_FFT = 400;
/** Distance of two frames, in samples (10 ms). */
export const HOP = 160;
/** Samples by which a window extends to each side of its centre; the length of the reflect padding. */
export const EDGE = N_FFT / 2;
/**
 * Samples before a chunk that its features need: 200 for its first frame, and 160 for the last frame of the previous
 * chunk, whose reflected right edge is replaced by the real samples.
 */
const LEFT_CONTEXT = EDGE + HOP;
/** Distance of the spectrogram's floor from its maximum, in decades. */
const DYNAMIC_RANGE = 8;
/** Log-mel values of a thumbnail's byte 0 and, relative to it, of byte 255. */
const THUMBNAIL_LOW = -1;
const THUMBNAIL_RANGE = 2.5;

/** Mel filters as triangles: of each mel bin, the first frequency bin and the weights from there on. */
export interface MelFilters {
  readonly starts: readonly number[];
  readonly weights: readonly Float64Array[];
}

/** State of a stream's features: the last 360 samples (null before the first chunk), and the running maximum. */
export interface FeaturesState {
  readonly left: Float32Array | null;
  readonly maximum: number;
}

/** State before the first chunk of a stream. */
export const FRESH: FeaturesState = { left: null, maximum: Number.NEGATIVE_INFINITY };

/** Incremental log-mel features. The state is a value: `push` returns the next one. */
export class LogMel {
  readonly bins: number;
  private readonly transform = new RealFourier(N_FFT);
  private readonly window = Float64Array.from(
    { length: N_FFT },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / N_FFT),
  );
  private readonly block = new Float64Array(N_FFT);
  private readonly spectrum = new Float64Array(EDGE + 1);

  constructor(private readonly filters: MelFilters) {
    this.bins = filters.starts.length;
  }

  /**
   * Compute the features of the next chunk.
   *
   * @returns float32 [bins, 40] in rows of a bin, and the state after the chunk.
   */
  push(state: FeaturesState, chunk: Float32Array): { mels: Float32Array; state: FeaturesState } {
    const left = state.left ?? reflectedStart(chunk);
    const padded = new Float32Array(left.length + CHUNK_SAMPLES + EDGE);
    padded.set(left);
    padded.set(chunk, left.length);
    for (let i = 0; i < EDGE; i++)
      padded[left.length + CHUNK_SAMPLES + i] = chunk[CHUNK_SAMPLES - 2 - i] as number;
    // With a left context the first frame is the last one of the previous chunk with its real right edge; it only
    // updates the maximum. The last frame of a chunk is not final, because its right edge is reflected.
    const before = state.left === null ? 0 : 1;
    const frames = this.rows(padded, MELS_PER_CHUNK + before);
    const finished = Math.max(state.maximum, ...frames.slice(0, -1).map(highest));
    const floor = Math.max(finished, highest(frames[frames.length - 1] as Float64Array)) - DYNAMIC_RANGE;
    const mels = this.scaledRows(frames.slice(before), floor);
    return { mels, state: { left: chunk.slice(-LEFT_CONTEXT), maximum: finished } };
  }

  /** Return the highest log10 mel power of a number of windows. */
  highest(padded: Float32Array, frames: number): number {
    return Math.max(...this.rows(padded, frames).map(highest));
  }

  /** Compute the features of a chunk with its context on both sides; the floor is relative to a known maximum. */
  scaled(padded: Float32Array, maximum: number): Float32Array {
    return this.scaledRows(this.rows(padded, MELS_PER_CHUNK), maximum - DYNAMIC_RANGE);
  }

  private rows(padded: Float32Array, frames: number): Float64Array[] {
    return Array.from({ length: frames }, (_, i) => this.frame(padded, i * HOP));
  }

  /** Raise the rows of a chunk to the floor, and scale them to the model's range: float32 [bins, 40]. */
  private scaledRows(rows: readonly Float64Array[], floor: number): Float32Array {
    const mels = new Float32Array(this.bins * MELS_PER_CHUNK);
    for (const [frame, row] of rows.entries()) {
      for (let bin = 0; bin < this.bins; bin++) {
        mels[bin * MELS_PER_CHUNK + frame] = (Math.max(row[bin] as number, floor) + 4) / 4;
      }
    }
    return mels;
  }

  /** Compute the log10 mel power of the window that begins at a sample. */
  private frame(samples: Float32Array, start: number): Float64Array {
    const { block, window, spectrum, filters } = this;
    for (let i = 0; i < N_FFT; i++) block[i] = (samples[start + i] as number) * (window[i] as number);
    this.transform.power(block, spectrum);
    const row = new Float64Array(this.bins);
    for (let bin = 0; bin < row.length; bin++) {
      const weights = filters.weights[bin] as Float64Array;
      const first = filters.starts[bin] as number;
      let power = 0;
      for (let i = 0; i < weights.length; i++)
        power += (weights[i] as number) * (spectrum[first + i] as number);
      row[bin] = Math.log10(Math.max(power, 1e-10));
    }
    return row;
  }
}

/** Return the samples before the first chunk of a stream: the chunk's begin, reflected. */
function reflectedStart(chunk: Float32Array): Float32Array {
  return chunk.slice(1, EDGE + 1).reverse();
}

function highest(numbers: Float64Array): number {
  let found = Number.NEGATIVE_INFINITY;
  for (const number of numbers) found = Math.max(found, number);
  return found;
}

/**
 * Encode the features of one chunk as a small image: base64 of 10 frames × 32 bands, one byte each, the mean of 4 × 4
 * values.
 */
export function thumbnail(mels: Float32Array): string {
  const perBand = mels.length / MELS_PER_CHUNK / MEL_BANDS;
  const perFrame = MELS_PER_CHUNK / MEL_FRAMES;
  const bytes = new Uint8Array(MEL_BANDS * MEL_FRAMES);
  for (let at = 0; at < bytes.length; at++) {
    const firstBin = (at % MEL_BANDS) * perBand;
    const firstFrame = Math.floor(at / MEL_BANDS) * perFrame;
    let sum = 0;
    for (let bin = firstBin; bin < firstBin + perBand; bin++) {
      for (let frame = firstFrame; frame < firstFrame + perFrame; frame++) {
        sum += mels[bin * MELS_PER_CHUNK + frame] as number;
      }
    }
    const mean = Math.fround(sum / (perBand * perFrame));
    const level = Math.fround(Math.fround(mean - THUMBNAIL_LOW) * Math.fround(255 / THUMBNAIL_RANGE));
    bytes[at] = halfEven(Math.min(255, Math.max(0, level)));
  }
  return base64(bytes);
}

/** Round to the nearest whole number, and to the even one of two. */
function halfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

/** Encode bytes as base64. */
export function base64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
