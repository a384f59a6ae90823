/**
 * Latency parts that the browser measures, while blocks are sent and events arrive. Times are Unix milliseconds of
 * this browser; the kernel's times are converted first.
 */
import type { SessionEvent, Timing } from "./events";
import type { SessionRecord } from "./record";

/** Largest number of blocks that wait for their chunk's timing: five minutes. */
const MOST_BLOCKS = 3000;
/** Largest number of chunks that wait for their blocks or for painting. */
const MOST_CHUNKS = 2000;

/**
 * Offset of the kernel's clock to this clock, bounded from both sides, because a message arrives after it was sent.
 * The smallest delays in both directions give the bounds; old bounds are relaxed, because clocks drift.
 */
export class ClockOffset {
  static readonly DRIFT = 50e-6;
  /** Upper bound of the smallest delay of many messages from the kernel, in milliseconds. */
  static readonly MOST_DOWN_MS = 50;
  #low = Number.NEGATIVE_INFINITY;
  #high = Number.POSITIVE_INFINITY;
  #at = 0;

  /** Update the bound by a message that the kernel sent at `kernel_ms` and that arrived at `here_ms`. */
  received(kernel_ms: number, here_ms: number): void {
    if (!(kernel_ms > 0)) return;
    this.#fade(here_ms);
    this.#low = Math.max(this.#low, kernel_ms - here_ms);
    // A clock was set: the older bound is invalid.
    if (this.#low > this.#high) this.#high = this.#low;
  }

  /** Update the bound by a message that was sent at `here_ms` and had reached the kernel at `kernel_ms`. */
  sent(here_ms: number, kernel_ms: number): void {
    if (!(kernel_ms > 0) || !(here_ms > 0)) return;
    this.#fade(here_ms);
    this.#high = Math.min(this.#high, kernel_ms - here_ms);
    if (this.#high < this.#low) this.#low = this.#high;
  }

  /** Estimate in ms; null until both bounds are known. A hello that a busy kernel read late gives a loose bound. */
  get ms(): number | null {
    const apart = this.#high - this.#low;
    return Number.isFinite(apart) ? this.#low + Math.min(apart / 2, ClockOffset.MOST_DOWN_MS) : null;
  }

  #fade(now_ms: number): void {
    if (now_ms <= this.#at) return;
    const faded = this.#at > 0 ? (now_ms - this.#at) * ClockOffset.DRIFT : 0;
    this.#low -= faded;
    this.#high += faded;
    this.#at = now_ms;
  }
}

/** Block of captured audio that was sent to the kernel. */
export interface SentBlock {
  seq: number;
  captured_ms: number;
  sent_ms: number;
}

/** Times of a chunk so far, in ms of this browser's clock. */
interface Way {
  received_ms: number;
  painted_ms: number;
  timing: Timing | null;
}

export class LatencyProbe {
  readonly clock = new ClockOffset();
  readonly #blocks = new Map<string, SentBlock>();
  /** Chunks whose times are not complete yet. */
  readonly #ways = new Map<number, Way>();

  constructor(private readonly record: () => SessionRecord) {}

  blockSent(stream: number, block: SentBlock): void {
    this.#blocks.set(`${stream}/${block.seq}`, block);
    dropOldest(this.#blocks, MOST_BLOCKS);
  }

  /** Return the capture time of a block of this page, in Unix ms; null if it is no longer known. */
  capturedAt(stream: number, seq: number): number | null {
    return this.#blocks.get(`${stream}/${seq}`)?.captured_ms ?? null;
  }

  /** Process an event that arrived at `now_ms`. A hidden page is not painted, so no painting is awaited. */
  take(event: SessionEvent, now_ms: number, hidden: boolean): void {
    if (event.type === "decision") {
      this.#ways.set(event.chunk, { received_ms: now_ms, painted_ms: hidden ? Number.NaN : 0, timing: null });
      dropOldest(this.#ways, MOST_CHUNKS);
    } else if (event.type === "timing") {
      const way = this.#ways.get(event.chunk) ?? {
        received_ms: Number.NaN,
        painted_ms: Number.NaN,
        timing: null,
      };
      this.#ways.set(event.chunk, { ...way, timing: event });
      this.#settle(event.chunk);
    }
  }

  /** Note that all events so far are painted. Return whether any chunk was painted for the first time. */
  painted(now_ms: number): boolean {
    let news = false;
    for (const [chunk, way] of [...this.#ways]) {
      if (way.painted_ms !== 0) continue;
      way.painted_ms = now_ms;
      this.#settle(chunk);
      news = true;
    }
    return news;
  }

  /** Discard the chunks when a new session begins. The clock, and blocks under way, are kept. */
  clear(): void {
    this.#ways.clear();
  }

  #settle(chunk: number): void {
    const way = this.#ways.get(chunk);
    if (!way?.timing || way.painted_ms === 0) return;
    this.#ways.delete(chunk);
    const { stream, seq, arrived_ms, decided_ms } = way.timing;
    const block = this.#blocks.get(`${stream}/${seq}`);
    if (block) this.clock.sent(block.sent_ms, arrived_ms);
    const arrived = this.#here(arrived_ms);
    const record = this.record();
    record.latency.takeWay(chunk, {
      capture: block ? Math.max(0, block.sent_ms - block.captured_ms) : null,
      uplink: block ? since(block.sent_ms, arrived) : null,
      downlink: since(this.#here(decided_ms), way.received_ms),
      paint: since(way.received_ms, way.painted_ms),
    });
    record.touch(chunk);
  }

  /** Convert a kernel time to this browser's clock; NaN if unknown. */
  #here(kernel_ms: number): number {
    return kernel_ms > 0 ? kernel_ms - (this.clock.ms ?? Number.NaN) : Number.NaN;
  }
}

/** Return the duration between two times, at least 0, because two clocks never agree exactly; null if unknown. */
function since(from_ms: number, to_ms: number): number | null {
  const ms = to_ms - from_ms;
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}

function dropOldest<K, V>(map: Map<K, V>, most: number): void {
  if (map.size <= most) return;
  const oldest = map.keys().next();
  if (!oldest.done) map.delete(oldest.value);
}
