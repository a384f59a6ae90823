/**
 * Where the time of each chunk went, from its last sample to its picture, in columns. The kernel measures its own
 * parts (they come with `Timing`); the parts of the way between browser and kernel are told by who sends and receives.
 */

import { Columns } from "./columns";
import type { Timing } from "./events";
import { summit } from "./pyramid";

/** In the order in which a chunk goes through them. */
export const LATENCY_PARTS = [
  "capture",
  "uplink",
  "queue",
  "features",
  "tower",
  "decide",
  "downlink",
  "paint",
] as const;
export type LatencyPart = (typeof LATENCY_PARTS)[number];
/** Parts that only the browser can measure. */
export type BrowserPart = Extract<LatencyPart, "capture" | "uplink" | "downlink" | "paint">;

/** What the way of one chunk may take at most, for the next one not to wait. */
export const DEADLINE_MS = 400;

/** The browser's parts of one chunk's way in milliseconds; null where they cannot be known. */
export type ChunkLatency = Readonly<Record<BrowserPart, number | null>>;

export class LatencyTable {
  readonly columns = new Columns([...LATENCY_PARTS, "total"]);
  /** The slowest chunk of each stretch. */
  readonly worst = summit((chunk) => this.columns.of.total[chunk] as number);

  get length(): number {
    return this.columns.length;
  }

  /** Milliseconds of one part, or of all that are known; NaN where not measured. */
  part(chunk: number, part: LatencyPart | "total"): number {
    return this.columns.of[part][chunk] ?? Number.NaN;
  }

  /** The kernel's parts. What came before its arrival is one part where no page of this browser recorded it. */
  takeTiming({ chunk, queue_ms, features_ms, tower_ms, decide_ms, capture_ms }: Timing): void {
    this.#write(chunk, {
      ...{ queue: queue_ms, features: features_ms, tower: tower_ms, decide: decide_ms },
      ...(capture_ms > 0 && Number.isNaN(this.part(chunk, "uplink")) ? { uplink: capture_ms } : {}),
    });
  }

  /** The browser's parts. */
  takeWay(chunk: number, { capture, uplink, downlink, paint }: ChunkLatency): void {
    const recordedHere = capture !== null || uplink !== null;
    this.#write(chunk, { ...(recordedHere ? { capture, uplink } : {}), downlink, paint });
  }

  get bytes(): number {
    return this.columns.bytes + this.worst.bytes;
  }

  #write(chunk: number, parts: Readonly<Partial<Record<LatencyPart, number | null>>>): void {
    this.columns.reach(chunk);
    const { of } = this.columns;
    let total = 0;
    for (const part of LATENCY_PARTS) {
      const ms = parts[part];
      if (ms !== undefined) of[part][chunk] = ms ?? Number.NaN;
      total += of[part][chunk] || 0;
    }
    of.total[chunk] = total;
    this.worst.set(chunk, chunk);
  }
}
