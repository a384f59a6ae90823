/** Streams decoded samples to the kernel as a microphone would: block by block, paced and never too far ahead. */
import type { OutgoingStream, SentBlock } from "./outgoing";
import type { SoundFile } from "./sound-file";

export type Pace = "realtime" | "fast";

/** At most this many blocks are on their way: sent and not yet taken up by the kernel. */
export const BLOCKS_IN_FLIGHT = 32;
const BLOCK_S = 0.1;

export interface PlayerClock {
  now(): number;
  later(callback: () => void, ms: number): unknown;
  cancel(timer: unknown): void;
}

export const BROWSER_CLOCK: PlayerClock = {
  now: () => performance.now(),
  later: (callback, ms) => setTimeout(callback, ms),
  cancel: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
};

export class FilePlayer {
  readonly total: number;
  readonly #blockLength: number;
  #startedAt = 0;
  #timer: unknown = null;
  #stopped = false;
  /** When it was paused, on the clock; null while it plays. */
  #pausedAt: number | null = null;

  /**
   * @param onBlock told of each block after it was sent
   * @param onEnd told once, after the stream was closed at the end of the file
   */
  constructor(
    private readonly sound: SoundFile,
    private readonly pace: Pace,
    private readonly stream: OutgoingStream,
    private readonly onBlock: (samples: Float32Array, sent: SentBlock) => void,
    private readonly onEnd: () => void,
    private readonly clock: PlayerClock = BROWSER_CLOCK,
  ) {
    this.#blockLength = Math.max(1, Math.round(sound.rate * BLOCK_S));
    this.total = Math.ceil(sound.samples.length / this.#blockLength);
  }

  /** Part of the file that has been sent, 0…1. */
  get progress(): number {
    return this.total === 0 ? 1 : this.stream.blocks / this.total;
  }

  start(): void {
    this.#startedAt = this.clock.now();
    this.#pump();
  }

  /** The kernel took up a block, which may make room for another. */
  acknowledged(): void {
    this.#pump();
  }

  /** Holds the file, or goes on where it was held. */
  pause(paused: boolean): void {
    if (paused === (this.#pausedAt !== null)) return;
    if (paused) {
      this.#pausedAt = this.clock.now();
      this.clock.cancel(this.#timer);
      return;
    }
    // What was due while it was held is not due at once.
    this.#startedAt += this.clock.now() - (this.#pausedAt ?? 0);
    this.#pausedAt = null;
    this.#pump();
  }

  /** Ends without closing the stream; whoever stops it says why. */
  stop(): void {
    this.#stopped = true;
    this.clock.cancel(this.#timer);
  }

  #pump(): void {
    if (this.#stopped || this.#pausedAt !== null) return;
    this.clock.cancel(this.#timer);
    const { stream } = this;
    while (stream.blocks < this.total && stream.blocks < this.#due() && this.#room()) {
      const at = stream.blocks * this.#blockLength;
      const samples = this.sound.samples.slice(at, at + this.#blockLength);
      const sent = stream.send(samples, at / this.sound.rate);
      if (sent) this.onBlock(samples, sent);
      // Sending may have found the kernel gone, and stopped this player.
      if (this.#stopped) return;
    }
    if (stream.blocks >= this.total) {
      this.#stopped = true;
      stream.close("ended");
      this.onEnd();
    } else if (this.pace === "realtime" && this.#room()) {
      this.#timer = this.clock.later(() => this.#pump(), this.#untilNext());
    }
    // Otherwise the next acknowledgement goes on.
  }

  #room(): boolean {
    return this.stream.blocks - (this.stream.acked + 1) < BLOCKS_IN_FLIGHT;
  }

  /** Blocks that a microphone would have delivered by now. Counted from the start, so that no delay adds up. */
  #due(): number {
    if (this.pace === "fast") return this.total;
    return Math.floor((this.clock.now() - this.#startedAt) / 1000 / BLOCK_S + 1e-6);
  }

  #untilNext(): number {
    const next = this.#startedAt + (this.stream.blocks + 1) * BLOCK_S * 1000;
    return Math.max(1, next - this.clock.now());
  }
}
