/** Sound of replies that text-to-speech in the kernel made: its parts are joined in order, then played. */

import type { Sound } from "../playback/sound";
import type { KernelMessage } from "./messages";
import { type Buffers, soundOf } from "./payload";

type VoiceMessage = Extract<KernelMessage, { type: "voice" }>;

export class KernelVoice {
  /** Parts of the reply that arrives. */
  #parts: Sound[] = [];
  #turn = -1;

  constructor(private readonly play: (turn: number, sound: Sound) => void) {}

  /** Add a part; the last one plays the sound. A reply of which a part is missing is not played. */
  take({ turn, rate, part, parts, data }: VoiceMessage, buffers: Buffers): void {
    if (part === 0) {
      this.#parts = [];
      this.#turn = turn;
    }
    const sound = soundOf(rate, data, buffers[0]);
    if (!sound || turn !== this.#turn || part !== this.#parts.length) return;
    this.#parts.push(sound);
    if (this.#parts.length < parts) return;
    const samples = new Float32Array(this.#parts.reduce((sum, each) => sum + each.samples.length, 0));
    let at = 0;
    for (const each of this.#parts) {
      samples.set(each.samples, at);
      at += each.samples.length;
    }
    this.#parts = [];
    this.#turn = -1;
    this.play(turn, { samples, rate });
  }
}
