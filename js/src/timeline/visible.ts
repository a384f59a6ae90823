/** Visible chunks, found by bisection. */
import { CHUNK_SECONDS } from "../record/events";
import { chunkCount, chunkStart, type SessionRecord } from "../record/record";
import { type TimeAxis, timeAt } from "./time-axis";

/** Return the first visible chunk, and the last one + 1. */
export function visibleChunks(record: SessionRecord, axis: TimeAxis): { first: number; last: number } {
  const first = firstEndingAfter(record, axis.start);
  const last = Math.min(chunkCount(record), firstEndingAfter(record, axis.start + axis.span) + 1);
  return { first, last };
}

/** Return the chunk at pixel `x`, or null. */
export function chunkAt(record: SessionRecord, axis: TimeAxis, x: number): number | null {
  if (x < axis.left || x > axis.left + axis.width) return null;
  const seconds = timeAt(axis, x);
  const chunk = firstEndingAfter(record, seconds);
  if (chunk >= chunkCount(record) || chunkStart(record, chunk) > seconds) return null;
  return chunk;
}

/** Return the first chunk that ends after `seconds`, by bisection: chunks start in order. */
function firstEndingAfter(record: SessionRecord, seconds: number): number {
  let low = 0;
  let high = chunkCount(record);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (chunkStart(record, middle) + CHUNK_SECONDS > seconds) high = middle;
    else low = middle + 1;
  }
  return low;
}
