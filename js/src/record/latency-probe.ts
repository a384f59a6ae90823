/**
 * The browser's parts of each chunk's latency, measured while blocks leave and events arrive. Times are Unix
 * milliseconds of this browser; the kernel's are put on that clock first.
 */
import type { SessionEvent, Timing } from "./events";
import type { SessionRecord } from "./record";

/** Blocks that may wait for their chunk's timing: five minutes of them. */
const MOST_BLOCKS = 3000;
/** Chunks that may wait for theirs. */
const MOST_CHUNKS = 2000;

/**
 * The kernel's clock minus this one, bounded from both sides: nothing arrives before it was sent. The least delay seen
 * either way decides; old bounds fade, since clocks drift.
 */
export class ClockOffset {
  static readonly DRIFT = 50e-6;
  /** The quickest of many messages from the kernel took no longer. */
  static readonly MOST_DOWN_MS = 50;
  #low = Number.NEGATIVE_INFINITY;
  #high = Number.POSITIVE_INFINITY;
  #at = 0;

  /** What the kernel sent at `kernel_ms` arrived here at `here_ms`. */
  received(kernel_ms: number, here_ms: number): void {
    if (!(kernel_ms > 0)) return;
    this.#fade(here_ms);
    this.#low = Math.max(this.#low, kernel_ms - here_ms);
    // A clock was set: the older bound is void.
    if (this.#low > this.#high) this.#high = this.#low;
  }

  /** What was sent from here at `here_ms` had reached the kernel at `kernel_ms`. */
  sent(here_ms: number, kernel_ms: number): void {
    if (!(kernel_ms > 0) || !(here_ms > 0)) return;
    this.#fade(here_ms);
    this.#high = Math.min(this.#high, kernel_ms - here_ms);
    if (this.#high < this.#low) this.#low = this.#high;
  }

  /** The estimate, in ms; null until both bounds are known. A hello that a busy kernel read late bounds little. */
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

/** A block of captured audio that was sent to the kernel. */
export interface SentBlock {
  seq: number;
  captured_ms: number;
  sent_ms: number;
}

/** What is known of a chunk's way so far, in ms of this browser's clock. */
interface Way {
  received_ms: number;
  painted_ms: number;
  timing: Timing | null;
}

export class LatencyProbe {
  readonly clock = new ClockOffset();
  readonly #blocks = new Map<string, SentBlock>();
  /** Chunks whose way is not known to its end yet. */
  readonly #ways = new Map<number, Way>();

  constructor(private readonly record: () => SessionRecord) {}

  blockSent(stream: number, block: SentBlock): void {
    this.#blocks.set(`${stream}/${block.seq}`, block);
    dropOldest(this.#blocks, MOST_BLOCKS);
  }

  /** When a block that left here was captured, in Unix ms; null where that is no longer known. */
  capturedAt(stream: number, seq: number): number | null {
    return this.#blocks.get(`${stream}/${seq}`)?.captured_ms ?? null;
  }

  /** An event arrived at `now_ms`. A hidden page paints nothing, so nothing is awaited of it. */
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

  /** All that arrived until now is on screen. Returns whether that was news. */
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

  /** Drops the chunks: a new session begins. The clock, and blocks under way, stay. */
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

  /** A time of the kernel's on this browser's clock; NaN where unknown. */
  #here(kernel_ms: number): number {
    return kernel_ms > 0 ? kernel_ms - (this.clock.ms ?? Number.NaN) : Number.NaN;
  }
}

/** Two clocks never agree to the last bit: a part that ends before it begins took no time. Null where unknown. */
function since(from_ms: number, to_ms: number): number | null {
  const ms = to_ms - from_ms;
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}

function dropOldest<K, V>(map: Map<K, V>, most: number): void {
  if (map.size <= most) return;
  const oldest = map.keys().next();
  if (!oldest.done) map.delete(oldest.value);
}
