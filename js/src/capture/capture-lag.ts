/** Lag of the decisions behind the microphone, measured in this page alone. */
import type { OutgoingStream } from "../channel/outgoing";
import { CHUNK_SECONDS } from "../record/events";
import type { SentBlock } from "../record/latency-probe";
import type { Store } from "../store/store";

/**
 * Compute the seconds between the capture of a block and that of the newest decided chunk, less the chunk that is
 * being recorded.
 */
export function captureLag(
  { record, latency }: Store,
  stream: OutgoingStream | null,
  sent: SentBlock,
): number {
  if (!stream) return 0;
  const { of, length } = record.timings.columns;
  const decidedHere = length > 0 && of.stream[length - 1] === stream.stream;
  const decided = decidedHere ? latency.capturedAt(stream.stream, of.seq[length - 1] as number) : null;
  return Math.max(0, (sent.captured_ms - (decided ?? stream.begun_ms)) / 1000 - CHUNK_SECONDS);
}
