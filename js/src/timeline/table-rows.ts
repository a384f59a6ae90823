/** Rows of the table, one per chunk: their texts, and which of them are visible. Pure functions. */

import { policyOf } from "../record/policy";
import { chunkStart, type SessionRecord, turnOf } from "../record/record";
import { type HiddenFrom, isDecisionHidden, isReplyHidden } from "../store/hidden";
import { CHOICE_WORDS } from "../store/readout";

/** Height of a row in CSS pixels, the same for all rows, so that positions need no measuring. */
export const ROW_PX = 24;
/** Number of rows rendered above and below the visible ones, so that scrolling shows no gap. */
const SPARE_ROWS = 6;

export const COLUMNS = [
  "chunk",
  "time",
  "level",
  "decision",
  "p(TEXT)",
  "reply",
  "latency",
  "flags",
] as const;

export interface Row {
  chunk: number;
  /** Texts in the order of `COLUMNS`. */
  cells: readonly string[];
  choice: string;
}

export function rowOf(record: SessionRecord, chunk: number, hidden: HiddenFrom): Row {
  const concealed = isDecisionHidden(hidden, chunk);
  const decision = concealed ? undefined : record.decisions.get(chunk);
  const turn = turnOf(record, chunk);
  const rms_db = record.chunks.columns.of.rms_db[chunk] ?? Number.NaN;
  const total = concealed ? Number.NaN : record.latency.part(chunk, "total");
  const undecided = concealed ? "hidden" : "–";
  return {
    chunk,
    cells: [
      String(chunk),
      `${chunkStart(record, chunk).toFixed(1)} s`,
      Number.isNaN(rms_db) ? "–" : `${rms_db.toFixed(1)} dB`.replace("-", "−"),
      decision ? CHOICE_WORDS[decision.choice] : undecided,
      // A policy's rule has no probability.
      decision && !policyOf(decision) ? decision.p_text.toFixed(4) : undecided,
      turn && !isReplyHidden(hidden, turn) ? [turn.emotion, turn.text].filter(Boolean).join(": ") : "",
      Number.isNaN(total) ? "" : `${Math.round(total)} ms`,
      record.chunks.flagNames(chunk).join(", "),
    ],
    choice: decision?.choice ?? "",
  };
}

/** Return the first row to render and the last row + 1, for `count` rows scrolled to `top` in a box of `height`. */
export function rowsInSight(count: number, top: number, height: number): { first: number; last: number } {
  const first = Math.max(0, Math.min(count, Math.floor(top / ROW_PX)) - SPARE_ROWS);
  const last = Math.min(count, Math.ceil((top + height) / ROW_PX) + SPARE_ROWS);
  return { first, last: Math.max(first, last) };
}

/** Return the nearest scroll position at which a row is visible below a header of the height of a row. */
export function scrollToRow(row: number, top: number, height: number): number {
  const [from, to] = [row * ROW_PX, (row + 1) * ROW_PX];
  if (from < top) return from;
  return to > top + height ? to - height : top;
}

/** Return the row that a key moves to; null if the key has no command here. */
export function rowForKey(key: string, row: number, count: number, page: number): number | null {
  const ways: Record<string, number> = {
    ArrowDown: row + 1,
    ArrowUp: row - 1,
    PageDown: row + page,
    PageUp: row - page,
    Home: 0,
    End: count - 1,
  };
  const to = ways[key];
  return to === undefined ? null : Math.min(count - 1, Math.max(0, to));
}
