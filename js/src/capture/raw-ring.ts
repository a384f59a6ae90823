/** Ring buffer of the newest two minutes of captured sound at the device's rate, from which a chunk can be played. */
import type { Sound } from "../playback/sound";
import { CHUNK_SECONDS } from "../record/events";
import type { Store } from "../store/store";

/** Length of the buffer in seconds: 12 MB as int16 at 48 kHz. */
export const RAW_SECONDS = 120;

interface RawBlock {
  stream: number;
  seq: number;
  rate: number;
  /** Index of the block's first sample in its stream. */
  first: number;
  samples: Int16Array;
}

export class RawRing {
  #blocks: RawBlock[] = [];
  #seconds = 0;

  get seconds(): number {
    return this.#seconds;
  }

  push(stream: number, seq: number, rate: number, samples: Float32Array): void {
    const before = this.#blocks.at(-1);
    const first = before?.stream === stream ? before.first + before.samples.length : 0;
    this.#blocks.push({ stream, seq, rate, first, samples: toInt16(samples) });
    this.#seconds += samples.length / rate;
    let old = 0;
    for (; this.#seconds > RAW_SECONDS && old < this.#blocks.length - 1; old++) {
      const { samples: gone, rate: at } = this.#blocks[old] as RawBlock;
      this.#seconds -= gone.length / at;
    }
    if (old > 0) this.#blocks.splice(0, old);
  }

  clear(): void {
    this.#blocks = [];
    this.#seconds = 0;
  }

  /**
   * Return the sound of one chunk, or null if it is not in the buffer.
   * @param nth number of the stream's chunks before it
   * @param seq block that completed it
   */
  chunk(stream: number, nth: number, seq: number): Sound | null {
    const last = this.#blocks.find((block) => block.stream === stream && block.seq === seq);
    if (!last) return null;
    const { rate } = last;
    const length = Math.round(CHUNK_SECONDS * rate);
    let end = Math.round((nth + 1) * CHUNK_SECONDS * rate);
    const within = end > last.first - length && end <= last.first + last.samples.length + length;
    // If chunks were dropped on the way, the count of chunks is wrong; the block that completed the chunk is
    // right.
    if (!within) end = last.first + last.samples.length;
    return this.#cut(stream, end - length, end, rate);
  }

  #cut(stream: number, from: number, to: number, rate: number): Sound | null {
    const samples = new Float32Array(to - Math.max(0, from));
    let found = 0;
    for (const block of this.#blocks) {
      if (block.stream !== stream) continue;
      const start = Math.max(from, block.first, 0);
      const end = Math.min(to, block.first + block.samples.length);
      for (let i = start; i < end; i++) {
        samples[i - Math.max(0, from)] = (block.samples[i - block.first] as number) / 32768;
      }
      found += Math.max(0, end - start);
    }
    // A recording that was stopped within the chunk is padded with silence, as for the model; a gap gives no
    // sound.
    const held = this.#blocks.find((block) => block.stream === stream)?.first ?? 0;
    return found > 0 && held <= Math.max(0, from) ? { samples, rate } : null;
  }
}

/**
 * Return the sound of a chunk as the device delivered it; null if this page did not record it or has discarded it. The
 * numbers of streams and blocks in a shown recording are of another page.
 */
export function rawSound({ record, recording }: Store, ring: RawRing, chunk: number): Sound | null {
  if (recording.value) return null;
  const timing = record.timings.get(chunk);
  if (!timing || timing.seq < 0) return null;
  let first = chunk;
  while (first > 0 && record.timings.get(first - 1)?.stream === timing.stream) first -= 1;
  return ring.chunk(timing.stream, chunk - first, timing.seq);
}

function toInt16(samples: Float32Array): Int16Array {
  const whole = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i++) {
    whole[i] = Math.max(-32768, Math.min(32767, Math.round((samples[i] as number) * 32768)));
  }
  return whole;
}
