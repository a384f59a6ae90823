/**
 * Latency of each chunk by part, from its last sample to its painting, in columns. The kernel measures its parts and
 * sends them in `Timing`; sender and receiver measure the parts between browser and kernel.
 */

import { Columns } from "./columns";
import type { Timing } from "./events";
import { summit } from "./pyramid";

/** Parts in the order in which a chunk passes them. */
export const LATENCY_PARTS = [
  "capture",
  "uplink",
  "queue",
  "network",
  "features",
  "tower",
  "decide",
  "downlink",
  "paint",
] as const;
export type LatencyPart = (typeof LATENCY_PARTS)[number];
/** Parts that only the browser can measure. */
export type BrowserPart = Extract<LatencyPart, "capture" | "uplink" | "downlink" | "paint">;

/** Largest latency of a chunk, in milliseconds, at which the next chunk need not wait: the length of a chunk. */
export const DEADLINE_MS = 400;

/** Parts of one chunk that the browser measured, in milliseconds; null if unknown. */
export type ChunkLatency = Readonly<Record<BrowserPart, number | null>>;

export class LatencyTable {
  readonly columns = new Columns([...LATENCY_PARTS, "total"]);
  /** Slowest chunk of each stretch. */
  readonly worst = summit((chunk) => this.columns.of.total[chunk] as number);

  get length(): number {
    return this.columns.length;
  }

  /** Return the milliseconds of one part, or the sum of the known ones; NaN if not measured. */
  part(chunk: number, part: LatencyPart | "total"): number {
    return this.columns.of[part][chunk] ?? Number.NaN;
  }

  /** Add the kernel's parts. The time before arrival is one part if no page of this browser recorded the chunk. */
  takeTiming({ chunk, queue_ms, features_ms, tower_ms, decide_ms, capture_ms, network_ms }: Timing): void {
    this.#write(chunk, {
      ...{ queue: queue_ms, features: features_ms, tower: tower_ms, decide: decide_ms },
      network: network_ms ?? 0,
      ...(capture_ms > 0 && Number.isNaN(this.part(chunk, "uplink")) ? { uplink: capture_ms } : {}),
    });
  }

  /** Add the browser's parts. */
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
