/** Blocks of any rate and length → chunks of 6400 samples at 16 kHz, with flags, as `ai_widgets/audio/intake.py` cuts. */

import { ENVELOPE_POINTS } from "../record/events";
import { AudioError, SettingError } from "./errors";
import { CHUNK_SAMPLES } from "./log-mel";
import { Resampler, SAMPLE_RATE } from "./resampler";

/** Range of accepted sample rates, in Hz. */
const MIN_RATE = 4_000;
const MAX_RATE = 384_000;
/** Largest magnitude of samples: audio lies between −1 and 1, mixes overshoot to 2 or 3. */
const FULL_SCALE_LIMIT = 8;
/** Magnitude from which a sample counts as clipped, and number of them from which a chunk is flagged. */
const CLIP_LEVEL = 0.999;
const CLIP_RUN = 4;

/** Seconds of silence that may follow a recording: more can only be a mistake. */
const MAX_TAIL_S = 600;

/** Samples of one chunk, float32 [6400], with its flags, sorted, and the origin of the block that completed it. */
export interface ChunkAudio<O> {
  readonly samples: Float32Array;
  readonly flags: readonly string[];
  readonly origin: O;
}

/**
 * Check a block before it is heard.
 *
 * @throws AudioError if it is not mono audio in [−1, 1] at a sample rate.
 */
export function checkBlock(samples: unknown, rate: unknown): asserts samples is Float32Array {
  if (!(samples instanceof Float32Array)) {
    throw new AudioError(
      "Audio must be a Float32Array of mono samples between −1 and 1; AudioBuffer.getChannelData(0) is one.",
    );
  }
  if (typeof rate !== "number" || !Number.isInteger(rate)) {
    throw new AudioError(
      `The sample rate must be a whole number of samples per second, not ${String(rate)}.`,
    );
  }
  if (rate < MIN_RATE || rate > MAX_RATE) {
    throw new AudioError(`The sample rate must lie between ${MIN_RATE} and ${MAX_RATE} Hz, not ${rate}.`);
  }
  let loudest = 0;
  for (const sample of samples) {
    const magnitude = Math.abs(sample);
    if (magnitude > loudest && magnitude < Number.POSITIVE_INFINITY) loudest = magnitude;
  }
  if (loudest > FULL_SCALE_LIMIT) {
    throw new AudioError(
      `Audio must lie between −1 and 1; the largest sample is ${Number(loudest.toPrecision(6))}. ` +
        "Divide samples at 16-bit scale by 32768.",
    );
  }
}

/** Replace NaN and infinity by 0; `broken` says whether there was one. */
export function repair(samples: Float32Array): { samples: Float32Array; broken: boolean } {
  if (samples.every(Number.isFinite)) return { samples, broken: false };
  return { samples: samples.map((sample) => (Number.isFinite(sample) ? sample : 0)), broken: true };
}

/**
 * Splitter of blocks at 16 kHz into chunks. No sample is lost or added; only `flush` pads. The flags of a block apply to
 * every chunk that contains one of its samples; its origin to every chunk that it completes.
 */
export class Chunker<O> {
  private parts: Float32Array[] = [];
  private flags = new Set<string>();
  /** Number of pending samples, fewer than a chunk. */
  waiting = 0;

  push(samples: Float32Array, flags: Iterable<string>, origin: O): ChunkAudio<O>[] {
    const chunks: ChunkAudio<O>[] = [];
    for (let start = 0; start < samples.length; ) {
      const part = samples.slice(start, start + CHUNK_SAMPLES - this.waiting);
      start += part.length;
      this.parts.push(part);
      this.waiting += part.length;
      for (const flag of flags) this.flags.add(flag);
      if (this.waiting === CHUNK_SAMPLES) chunks.push(this.take(this.flags, origin));
    }
    return chunks;
  }

  /** Return the pending samples as one chunk, padded with zeros; no chunk if no sample is pending. */
  flush(origin: O): ChunkAudio<O>[] {
    return this.waiting > 0 ? [this.take(new Set([...this.flags, "padded"]), origin)] : [];
  }

  private take(flags: ReadonlySet<string>, origin: O): ChunkAudio<O> {
    const samples = new Float32Array(CHUNK_SAMPLES);
    let at = 0;
    for (const part of this.parts) {
      samples.set(part, at);
      at += part.length;
    }
    this.parts = [];
    this.flags = new Set();
    this.waiting = 0;
    return { samples, flags: sorted(isClipped(samples) ? [...flags, "clipped"] : flags), origin };
  }
}

/** Sort flags and remove duplicates. */
export function sorted(flags: Iterable<string>): string[] {
  return [...new Set(flags)].sort();
}

function isClipped(samples: Float32Array): boolean {
  let count = 0;
  for (const sample of samples) if (Math.abs(sample) >= CLIP_LEVEL) count++;
  return count >= CLIP_RUN;
}

/** Converter of blocks at any rate to chunks. A change of the rate flushes the resampler; no sample is lost. */
export class Intake<O> {
  private rate: number | null = null;
  private resampler: Resampler | null = null;
  private readonly chunker = new Chunker<O>();

  /** Number of pending samples at 16 kHz, fewer than a chunk, without those in the resampler's filter. */
  get waiting(): number {
    return this.chunker.waiting;
  }

  /** Add one checked block and return the completed chunks. */
  push(block: Float32Array, rate: number, flags: readonly string[], origin: O): ChunkAudio<O>[] {
    const { samples, broken } = repair(block);
    const all = broken ? [...flags, "repaired"] : flags;
    const chunks: ChunkAudio<O>[] = [];
    if (rate !== this.rate) {
      chunks.push(...this.endResampler(origin));
      this.rate = rate;
      this.resampler = rate === SAMPLE_RATE ? null : new Resampler(rate);
    }
    const at16k = this.resampler ? this.resampler.push(samples) : samples;
    return [...chunks, ...this.chunker.push(at16k, all, origin)];
  }

  /** End the recording and return the pending samples as chunks, the last one padded. */
  finish(origin: O): ChunkAudio<O>[] {
    const chunks = [...this.endResampler(origin), ...this.chunker.flush(origin)];
    this.rate = null;
    return chunks;
  }

  private endResampler(origin: O): ChunkAudio<O>[] {
    const rest = this.resampler?.finish() ?? new Float32Array(0);
    this.resampler = null;
    return this.chunker.push(rest, [], origin);
  }
}

/**
 * Check the length of the silence that follows a recording, in seconds.
 *
 * @throws SettingError if it is no number from 0 to 600.
 */
export function checkTail(seconds: number): number {
  if (typeof seconds === "number" && seconds >= 0 && seconds <= MAX_TAIL_S) return seconds;
  throw new SettingError(
    `tailSilence must be a number of seconds from 0 to ${MAX_TAIL_S}, not ${String(seconds)}.`,
  );
}

/** Return chunks of digital silence, flagged `tail`; `seconds` is rounded up to whole chunks. */
export function silence<O>(seconds: number, origin: O): ChunkAudio<O>[] {
  const count = Math.ceil(Math.round(seconds * SAMPLE_RATE) / CHUNK_SAMPLES);
  return Array.from({ length: count }, () => ({
    samples: new Float32Array(CHUNK_SAMPLES),
    flags: ["tail"],
    origin,
  }));
}

/** Compute the root-mean-square level in dBFS; −120 for silence. */
export function levelDb(samples: Float32Array): number {
  let power = 0;
  for (const sample of samples) power += sample * sample;
  return 10 * Math.log10(Math.max(power / samples.length, 1e-12));
}

/** Compute the peak magnitude of each 25 ms of a chunk, 16 values in 0…1, rounded to 4 decimals for display. */
export function envelope(samples: Float32Array): number[] {
  const length = samples.length / ENVELOPE_POINTS;
  return Array.from({ length: ENVELOPE_POINTS }, (_, point) => {
    let peak = 0;
    for (let i = point * length; i < (point + 1) * length; i++) {
      peak = Math.max(peak, Math.abs(samples[i] as number));
    }
    return rounded(Math.min(peak, 1), 4);
  });
}

/** Round to a number of decimals, halves to the even neighbour, as Python's `round` does. */
export function rounded(value: number, digits: number): number {
  const halves = value * 2 ** (digits + 1);
  // Halfway between two results: an odd multiple of 2^-(digits + 1), which is exact in binary.
  const tie = Number.isInteger(halves) && Math.abs(halves % 2) === 1;
  if (!tie) return Number(value.toFixed(digits));
  const below = Math.floor(value * 10 ** digits);
  return (below % 2 === 0 ? below : below + 1) / 10 ** digits;
}
