/** Overhead of a chunk from microphone to screen besides the model's own time: a summary over the newest chunks. */
import { LATENCY_PARTS, type LatencyTable } from "./latency-table";

/** Number of chunks in the summary: 200 s of audio, so that a slow start is no longer included after that. */
const NEWEST = 500;

/** Median, 95th percentile and maximum, in milliseconds. */
interface Spread {
  p50: number;
  p95: number;
  worst: number;
}

/**
 * Summarise the time from capture to painting without the model's own time, and each part, over the newest chunks
 * with all parts.
 */
export function overheadSummary(table: LatencyTable): (Spread & { count: number; parts: object }) | null {
  const chunks: number[] = [];
  for (let chunk = table.length - 1; chunk >= 0 && chunks.length < NEWEST; chunk--)
    if (!LATENCY_PARTS.some((part) => Number.isNaN(table.part(chunk, part)))) chunks.push(chunk);
  if (chunks.length === 0) return null;
  const model = (chunk: number) =>
    table.part(chunk, "features") + table.part(chunk, "tower") + table.part(chunk, "decide");
  const parts = LATENCY_PARTS.map((part) => [part, spread(chunks.map((chunk) => table.part(chunk, part)))]);
  return {
    count: chunks.length,
    ...spread(chunks.map((chunk) => table.part(chunk, "total") - model(chunk))),
    parts: Object.fromEntries(parts),
  };
}

function spread(values: number[]): Spread {
  values.sort((a, b) => a - b);
  const at = (part: number) =>
    values[Math.min(values.length - 1, Math.floor(part * values.length))] as number;
  return { p50: at(0.5), p95: at(0.95), worst: at(1) };
}
