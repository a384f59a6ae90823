/** Geometry of the large strip of decisions and of the curve of p(TEXT) above it, for the newest chunks. */

import type { SessionRecord } from "../record/record";
import { chunkCount } from "../record/record";

/** Width of one decision in CSS pixels: its mark is recognised from the last row of a room. */
const CELL_PX = 30;
/** Least and largest number of decisions: below, a reply's onset has no past; above (16 s), cells look alike. */
const [FEWEST, MOST] = [8, 40];

export type CellKind = "undecided" | "silent" | "speak" | "violation";
/** By code of `CHOICE_CODES`. */
const KINDS: readonly CellKind[] = ["undecided", "silent", "speak", "violation"];

export interface Cell {
  chunk: number;
  kind: CellKind;
  /** Left edge and width in CSS pixels. */
  x: number;
  width: number;
}

export interface Picture {
  cells: readonly Cell[];
  /** Points of the curve, 0…1 upwards, by centre of the cell; a chunk without a decision interrupts it. */
  runs: readonly (readonly (readonly [x: number, p: number])[])[];
  /** Threshold of the newest decision, 0…1; null if there is none. */
  threshold: number | null;
  /** Newest p(TEXT), or null. */
  newest: number | null;
}

/** Compute the picture of the newest chunks for a width in CSS pixels. */
export function pictureOf({ record, width }: { record: SessionRecord; width: number }): Picture {
  const count = Math.max(FEWEST, Math.min(MOST, Math.floor(width / CELL_PX)));
  const step = width / count;
  const end = chunkCount(record);
  const first = Math.max(0, end - count);
  const { decisions } = record;
  const { height, threshold } = decisions.columns.of;
  const cells: Cell[] = [];
  const runs: [number, number][][] = [];
  let run: [number, number][] | null = null;
  let newest: number | null = null;
  for (let chunk = first; chunk < end; chunk++) {
    const x = (chunk - first) * step;
    cells.push({ chunk, kind: KINDS[decisions.choiceCode(chunk)] ?? "violation", x, width: step });
    const p = height[chunk];
    if (!decisions.has(chunk) || p === undefined || Number.isNaN(p)) {
      run = null;
      continue;
    }
    if (!run) {
      run = [];
      runs.push(run);
    }
    run.push([x + step / 2, p]);
    newest = p;
  }
  const line = threshold[decisions.length - 1];
  return { cells, runs, newest, threshold: line === undefined || Number.isNaN(line) ? null : line };
}
