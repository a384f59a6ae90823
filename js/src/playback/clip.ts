/** Clips of a record's sound that a media element can play, and an element without sound. */
import type { Sound } from "./sound";

/** Clip of the record's sound. */
export interface Clip {
  /** Address of the audio file; empty for a clip without sound. */
  url: string;
  /** Start and end, in seconds of the session. */
  from_s: number;
  to_s: number;
  /** Seconds of the file before `from_s`: an encoder's delay. */
  offset_s: number;
  /** Release the memory behind the address. */
  release(): void;
}

/** Source of a replay's sound. */
export interface ClipSource {
  /** Return the clip at a time; `why` is a sentence on why there is none. */
  clipAt(seconds: number): Promise<Clip | { why: string }>;
  /** Return the end of the record in seconds. */
  end_s(): number;
}

/** Part of an `<audio>` element that a replay uses. */
export interface Player {
  src: string;
  currentTime: number;
  playbackRate: number;
  readonly ended: boolean;
  play(): Promise<void>;
  pause(): void;
  addEventListener(type: string, listener: () => void): void;
  removeAttribute(name: string): void;
}

/** Player of a record without sound: its time advances, and it is silent. */
export class SilentPlayer implements Player {
  src = "";
  readonly ended = false;
  #rate = 1;
  /** Position at the newest reading of the clock, and the clock's value; null while paused. */
  #position = 0;
  #since: number | null = null;

  constructor(private readonly now: () => number = () => performance.now()) {}

  get currentTime(): number {
    const passed = this.#since === null ? 0 : ((this.now() - this.#since) / 1000) * this.#rate;
    return this.#position + passed;
  }

  set currentTime(seconds: number) {
    this.#position = seconds;
    if (this.#since !== null) this.#since = this.now();
  }

  get playbackRate(): number {
    return this.#rate;
  }

  set playbackRate(rate: number) {
    this.currentTime = this.currentTime;
    this.#rate = rate;
  }

  play(): Promise<void> {
    this.#since ??= this.now();
    return Promise.resolve();
  }

  pause(): void {
    this.#position = this.currentTime;
    this.#since = null;
  }

  addEventListener(): void {}

  removeAttribute(): void {}
}

/** Join sounds to a WAV file, 16 bit mono. */
export function wavOf(sounds: readonly Sound[]): Blob {
  const rate = sounds[0]?.rate ?? 16_000;
  const samples = sounds.reduce((sum, sound) => sum + sound.samples.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * samples));
  const word = (at: number, text: string) => {
    for (let i = 0; i < 4; i++) view.setUint8(at + i, text.charCodeAt(i));
  };
  word(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples, true);
  word(8, "WAVE");
  word(12, "fmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  word(36, "data");
  view.setUint32(40, 2 * samples, true);
  let at = 44;
  for (const sound of sounds) {
    for (const sample of sound.samples) {
      view.setInt16(at, Math.round(Math.max(-1, Math.min(1, sample)) * 32767), true);
      at += 2;
    }
  }
  return new Blob([view.buffer as ArrayBuffer], { type: "audio/wav" });
}
