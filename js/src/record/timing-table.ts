/** Timings of a record as numbers in columns; `get` rebuilds the event. */

import { Columns } from "./columns";
import type { Timing } from "./events";

const NUMBERS = [
  ...(["features_ms", "tower_ms", "decide_ms", "reply_ms", "queue_ms"] as const),
  ...(["stream", "seq", "arrived_ms", "decided_ms", "encode_wait_ms", "capture_ms", "network_ms"] as const),
] as const;

export class TimingTable {
  readonly columns = new Columns(NUMBERS);

  get length(): number {
    return this.columns.length;
  }

  set(event: Timing): void {
    this.columns.reach(event.chunk);
    for (const name of NUMBERS) this.columns.of[name][event.chunk] = event[name] ?? 0;
  }

  /** Rebuild the event of a chunk; undefined if there is none. */
  get(chunk: number): Timing | undefined {
    const { of } = this.columns;
    if (Number.isNaN(of.decide_ms[chunk] ?? Number.NaN)) return undefined;
    const numbers = Object.fromEntries(NUMBERS.map((name) => [name, of[name][chunk]]));
    return { type: "timing", chunk, ...(numbers as Record<(typeof NUMBERS)[number], number>) };
  }

  /** Return the duration of a chunk's reply in milliseconds; 0 without a reply. */
  reply_ms(chunk: number): number {
    return this.columns.of.reply_ms[chunk] || 0;
  }

  get bytes(): number {
    return this.columns.bytes;
  }
}
