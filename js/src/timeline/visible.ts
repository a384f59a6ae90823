/** Which chunks are in sight, found without looking at the others. */
import { CHUNK_SECONDS } from "../record/events";
import { chunkCount, chunkStart, type SessionRecord } from "../record/record";
import { type TimeAxis, timeAt } from "./time-axis";

/** First and one past the last chunk that touch the axis. */
export function visibleChunks(record: SessionRecord, axis: TimeAxis): { first: number; last: number } {
  const first = firstEndingAfter(record, axis.start);
  const last = Math.min(chunkCount(record), firstEndingAfter(record, axis.start + axis.span) + 1);
  return { first, last };
}

/** The chunk at pixel `x`, or null where there is none. */
export function chunkAt(record: SessionRecord, axis: TimeAxis, x: number): number | null {
  if (x < axis.left || x > axis.left + axis.width) return null;
  const seconds = timeAt(axis, x);
  const chunk = firstEndingAfter(record, seconds);
  if (chunk >= chunkCount(record) || chunkStart(record, chunk) > seconds) return null;
  return chunk;
}

/** Chunks start one after another, so bisection finds the first that ends after `seconds`. */
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
