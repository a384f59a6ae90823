/**
 * Player of the sound of one chunk at a time, for all views; the newest press takes effect, even if an older request
 * is answered later.
 */

import { batch, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { CANNOT_PLAY, Playback } from "./playback";
import type { Fetched, Sound } from "./sound";

/** Sound as the microphone recorded it, or as the model heard it. */
export type Which = "raw" | "heard";

export interface Playing {
  which: Which;
  chunk: number;
}

export interface SoundSource {
  rawAudio(chunk: number): Sound | null;
  fetchAudio(chunk: number): Promise<Fetched>;
}

export const NO_RAW = "This page no longer has a recording of this chunk.";

export class ChunkPlayer {
  readonly #asked: Signal<Playing | null> = signal(null);
  readonly #audible: Signal<boolean> = signal(false);
  readonly #said: Signal<(Playing & { sentence: string }) | null> = signal(null);
  #press = 0;

  constructor(
    private readonly source: SoundSource,
    private readonly playback: Playback = new Playback(),
  ) {}

  /** Sound that was requested and has not ended: being fetched, or played. */
  get asked(): ReadonlySignal<Playing | null> {
    return this.#asked;
  }

  /** Whether the loudspeaker is audible, so that the microphone would record it. */
  get audible(): ReadonlySignal<boolean> {
    return this.#audible;
  }

  /** Reason why the newest press brought no sound; null if it did. */
  get said(): ReadonlySignal<(Playing & { sentence: string }) | null> {
    return this.#said;
  }

  /** Play a chunk instead of the one that plays or is being fetched. */
  async play(which: Which, chunk: number): Promise<void> {
    this.stop();
    const press = this.#press;
    const current = () => press === this.#press;
    this.#asked.value = { which, chunk };
    let sentence = "";
    try {
      const fetched = which === "raw" ? this.#raw(chunk) : await this.source.fetchAudio(chunk);
      if (!current()) return;
      if ("sound" in fetched) {
        this.#audible.value = true;
        await this.playback.play(fetched.sound);
      } else {
        sentence = fetched.why;
      }
    } catch (error) {
      sentence = `${CANNOT_PLAY.sentence} ${CANNOT_PLAY.wayOut} (${String(error)})`;
    }
    if (!current()) return;
    batch(() => {
      this.#asked.value = null;
      this.#audible.value = false;
      this.#said.value = sentence ? { which, chunk, sentence } : null;
    });
  }

  /** Stop the sound, and ignore the answer of a pending request. */
  stop(): void {
    this.#press += 1;
    this.playback.stop();
    batch(() => {
      this.#asked.value = null;
      this.#audible.value = false;
      this.#said.value = null;
    });
  }

  /** Release the loudspeaker. */
  end(): void {
    this.stop();
    this.playback.end();
  }

  #raw(chunk: number): Fetched {
    const sound = this.source.rawAudio(chunk);
    return sound ? { sound } : { why: NO_RAW };
  }
}
