/** One audio stream to the kernel: opened, numbered block by block, closed exactly once. */

import type { SentBlock } from "../record/latency-probe";
import { leave } from "./leaving";
import type { BrowserMessage, CloseReason } from "./messages";
import { fitText } from "./payload";

export type SendMessage = (message: BrowserMessage, samples?: Float32Array) => void;

export interface StreamOptions {
  stream: number;
  name: string;
  /** Sample rate of the blocks, in Hz. */
  rate: number;
  /** Sending page; the kernel accepts audio of one page at a time. */
  page: string;
  /** Settings of the microphone's track, as the browser reports them. */
  track: Record<string, unknown>;
  /** The kernel's clock minus this page's, in ms; null if unknown. */
  offset?: () => number | null;
}

export class OutgoingStream {
  readonly stream: number;
  /** Number of blocks sent; also the next sequence number. */
  blocks = 0;
  /** Number of samples sent. */
  samples = 0;
  /** Newest acknowledged sequence number; −1 before the first. */
  acked = -1;
  /** Capture time of the first sample, in Unix ms; 0 before it. */
  begun_ms = 0;
  #closed = false;

  constructor(
    private readonly options: StreamOptions,
    private readonly post: SendMessage,
  ) {
    this.stream = options.stream;
    post({
      type: "open",
      stream: options.stream,
      source: "mic",
      name: fitText(options.name),
      rate: options.rate,
      tail_s: 0,
      page: options.page,
      track: options.track,
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  get rate(): number {
    return this.options.rate;
  }

  /** Seconds of audio sent. */
  get seconds(): number {
    return this.samples / this.options.rate;
  }

  /** Seconds of audio that were sent and not acknowledged; all blocks but the last have the same length. */
  get untaken_s(): number {
    return this.blocks === 0 ? 0 : (this.seconds * (this.blocks - 1 - this.acked)) / this.blocks;
  }

  /**
   * Send one block.
   * @param time_s audio-clock time of the block's first sample
   * @param captured wall-clock time of its last sample, in Unix ms
   * @param gated whether the samples are silence in place of what was captured
   * @returns what was sent, or null if nothing was
   */
  send(samples: Float32Array, time_s: number, captured?: number, gated = false): SentBlock | null {
    if (this.#closed || samples.length === 0) return null;
    const seq = this.blocks;
    const sent_ms = Date.now();
    const captured_ms = captured ?? sent_ms;
    this.blocks += 1;
    this.samples += samples.length;
    const { stream } = this;
    const { rate, page, offset } = this.options;
    if (seq === 0) this.begun_ms = captured_ms - (samples.length / rate) * 1000;
    const times = { time_s, captured_ms, sent_ms, offset_ms: offset?.() ?? null };
    this.post({ type: "block", stream, seq, rate, format: "float32", ...times, gated, page }, samples);
    return { seq, captured_ms, sent_ms };
  }

  ack(seq: number): void {
    this.acked = Math.max(this.acked, seq);
  }

  close(reason: CloseReason): void {
    if (this.#closed) return;
    this.#closed = true;
    const { stream, blocks } = this;
    const close = { type: "close", stream, blocks, reason, page: this.options.page } as const;
    if (reason === "view_removed") leave(close);
    this.post(close);
  }
}
