/** Chunks of a record as numbers in columns; `get` rebuilds the event. */

import { Columns, grown } from "./columns";
import { type Chunk, ENVELOPE_POINTS } from "./events";
import { Interned } from "./interned";
import { MelTable } from "./mel";
import { largest, smallest, united } from "./pyramid";

/** Flags that the timeline draws; each is a bit of `ChunkTable.flags`. */
export const FLAG_BITS = {
  clipped: 1,
  padded: 2,
  gated: 4,
  dropped: 8,
  late: 16,
  waited: 32,
  tail: 64,
  repaired: 128,
} as const;
export type DrawnFlag = keyof typeof FLAG_BITS;

/** Scale of the envelope: the kernel rounds peaks to four decimals, so that scaled peaks are whole numbers. */
const PEAK_UNIT = 10_000;

export class ChunkTable {
  readonly columns = new Columns(["start_s", "rms_db", "clip", "flagSet", "points", "ownFloor"]);
  readonly mel = new MelTable();
  /** Loudest and quietest point (0…1) of each stretch. */
  readonly loudest = largest();
  readonly quietest = smallest();
  readonly flags = united();
  #envelope = new Uint16Array(0);
  readonly #flagSets = new Interned<readonly string[]>();
  /** `lead` of the few chunks that have one. */
  readonly #leads = new Map<number, string>();

  get length(): number {
    return this.columns.length;
  }

  has(chunk: number): boolean {
    return !Number.isNaN(this.columns.of.start_s[chunk] ?? Number.NaN);
  }

  set(event: Chunk): void {
    const { chunk, envelope } = event;
    const points = Math.min(envelope.length, ENVELOPE_POINTS);
    this.columns.write(chunk, {
      start_s: event.start_s,
      rms_db: event.rms_db,
      clip: event.clip,
      flagSet: this.#flagSets.number(event.flags),
      points,
      ownFloor: event.floor === "clip" ? 1 : 0,
    });
    if (event.lead) this.#leads.set(chunk, event.lead);
    this.#envelope = grown(this.#envelope, (chunk + 1) * ENVELOPE_POINTS, 0);
    let [loud, quiet] = [0, points > 0 ? Number.POSITIVE_INFINITY : 0];
    for (let i = 0; i < points; i++) {
      const peak = envelope[i] as number;
      this.#envelope[chunk * ENVELOPE_POINTS + i] = Math.round(peak * PEAK_UNIT);
      loud = Math.max(loud, peak);
      quiet = Math.min(quiet, peak);
    }
    this.loudest.set(chunk, loud);
    this.quietest.set(chunk, quiet);
    this.flags.set(
      chunk,
      event.flags.reduce((bits, flag) => bits | (FLAG_BITS[flag as DrawnFlag] ?? 0), 0),
    );
    if (event.mel) this.mel.set(chunk, event.mel);
  }

  /** Rebuild the event of a chunk; undefined if there is none. */
  get(chunk: number): Chunk | undefined {
    if (!this.has(chunk)) return undefined;
    const { of } = this.columns;
    const points = of.points[chunk] as number;
    return {
      type: "chunk",
      chunk,
      clip: of.clip[chunk] as number,
      start_s: of.start_s[chunk] as number,
      rms_db: of.rms_db[chunk] as number,
      envelope: Array.from({ length: points }, (_, i) => this.peak(chunk, i)),
      flags: [...this.flagNames(chunk)],
      mel: this.mel.base64(chunk),
      floor: of.ownFloor[chunk] ? "clip" : "running",
      lead: this.#leads.get(chunk) ?? "",
    };
  }

  /** Return one point of a chunk's envelope, 0…1. */
  peak(chunk: number, point: number): number {
    return (this.#envelope[chunk * ENVELOPE_POINTS + point] ?? 0) / PEAK_UNIT;
  }

  points(chunk: number): number {
    return this.columns.of.points[chunk] || 0;
  }

  flagNames(chunk: number): readonly string[] {
    return this.has(chunk) ? this.#flagSets.value(this.columns.of.flagSet[chunk] as number) : [];
  }

  get bytes(): number {
    const { columns, mel, loudest, quietest, flags } = this;
    const parts = [columns, mel, loudest, quietest, flags, { bytes: this.#envelope.byteLength }];
    return parts.reduce((sum, part) => sum + part.bytes, 0);
  }
}
