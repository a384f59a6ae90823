/** Clips of a replay from the kernel's audio, fetched chunk by chunk, a few seconds ahead of the cursor. */

import { type Clip, type ClipSource, wavOf } from "../playback/clip";
import type { Fetched, Sound } from "../playback/sound";
import { CHUNK_SECONDS } from "../record/events";
import { recordEnd } from "../record/record";
import type { Store } from "../store/store";

/** Chunks of one clip: 8 s, which is 260 kB from the kernel. */
export const CLIP_CHUNKS = 20;

interface Kernel {
  readonly store: Store;
  fetchAudio(chunk: number): Promise<Fetched>;
}

export class KernelClips implements ClipSource {
  /** Clip after the one that plays, prefetched. */
  #ahead: { first: number; sounds: Promise<Sound[] | { why: string }> } | null = null;

  constructor(private readonly kernel: Kernel) {}

  end_s(): number {
    return recordEnd(this.kernel.store.record);
  }

  async clipAt(seconds: number): Promise<Clip | { why: string }> {
    const first = Math.floor(seconds / CHUNK_SECONDS + 1e-6);
    const ahead = this.#ahead?.first === first ? this.#ahead.sounds : null;
    let sounds = await (ahead ?? this.#fetch(first));
    // The prefetch may have failed for a reason that no longer applies.
    if ("why" in sounds && ahead) sounds = await this.#fetch(first);
    if ("why" in sounds) {
      this.#ahead = null;
      return sounds;
    }
    const next = first + sounds.length;
    this.#ahead = next * CHUNK_SECONDS < this.end_s() ? { first: next, sounds: this.#fetch(next) } : null;
    const url = URL.createObjectURL(wavOf(sounds));
    return {
      url,
      offset_s: 0,
      from_s: first * CHUNK_SECONDS,
      to_s: next * CHUNK_SECONDS,
      release: () => URL.revokeObjectURL(url),
    };
  }

  /** Fetch the sounds from `first` on, up to the first chunk without a sound. */
  async #fetch(first: number): Promise<Sound[] | { why: string }> {
    const last = Math.min(first + CLIP_CHUNKS, Math.ceil(this.end_s() / CHUNK_SECONDS - 1e-6));
    const chunks = Array.from({ length: Math.max(1, last - first) }, (_, i) => first + i);
    const fetched = await Promise.all(chunks.map((chunk) => this.kernel.fetchAudio(chunk)));
    const missing = fetched.findIndex((answer) => "why" in answer);
    const found = missing < 0 ? fetched : fetched.slice(0, missing);
    if (found.length === 0) return fetched[0] as { why: string };
    return found.map((answer) => (answer as { sound: Sound }).sound);
  }
}
