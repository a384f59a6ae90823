/** The replay's cursor and the selected span on the timeline, and how the window follows the cursor. */
import { effect } from "@preact/signals";
import { CHUNK_SECONDS } from "../record/events";
import { chunkCount, chunkStart, recordEnd, type SessionRecord } from "../record/record";
import type { View } from "../view";
import { type TimeAxis, timeAt } from "./time-axis";

/** Position of the cursor at which the window moves, and the cursor's position afterwards, as parts of the window. */
const LEAVES_AT = 0.96;
const ENTERS_AT = 0.06;

/** Part of the timeline that follows the cursor. */
interface Window {
  readonly axis: TimeAxis;
  invalidate(what: "marks"): void;
  panBy(seconds: number): void;
}

interface Span {
  from_s: number;
  to_s: number;
}

/** Return the chunk at the replay's cursor; null before the first use of the replay. */
export function playedChunk(view: View): number | null {
  const at = view.channel.replay.position.peek();
  const count = chunkCount(view.store.record);
  if (at === null || count === 0) return null;
  return Math.max(0, Math.min(count - 1, Math.floor(at / CHUNK_SECONDS + 1e-6)));
}

/** Move the replay's cursor to a chunk: always for a record, and for a session after the first use of the replay. */
export function cue(view: View, chunk: number | null): void {
  const { ongoing, replay } = view.channel;
  if (chunk === null || (ongoing && replay.position.peek() === null)) return;
  replay.seek(chunkStart(view.store.record, chunk));
}

/** Return the chunks between two pixels as a span; null if there are none. */
export function spanBetween(record: SessionRecord, axis: TimeAxis, a: number, b: number): Span | null {
  const [from, to] = [timeAt(axis, Math.min(a, b)), timeAt(axis, Math.max(a, b))];
  const from_s = Math.max(0, Math.floor(from / CHUNK_SECONDS) * CHUNK_SECONDS);
  const to_s = Math.min(recordEnd(record), Math.ceil(to / CHUNK_SECONDS) * CHUNK_SECONDS);
  return to_s > from_s ? { from_s, to_s } : null;
}

/** Set one edge of the selected span to a chunk; the other edge is kept if the result is a span. */
export function selectEdge(view: View, edge: keyof Span, chunk: number): void {
  const { replay } = view.channel;
  const start = chunkStart(view.store.record, chunk);
  const end = recordEnd(view.store.record);
  const { from_s, to_s } = replay.span.peek() ?? { from_s: 0, to_s: end };
  if (edge === "from_s") replay.select({ from_s: start, to_s: to_s > start ? to_s : end });
  else {
    const last = start + CHUNK_SECONDS;
    replay.select({ from_s: from_s < last ? from_s : 0, to_s: last });
  }
}

/** Redraw cursor and span when they change, and move the window when the cursor leaves it during playback. */
export function followReplay(timeline: Window, view: View): () => void {
  const { replay } = view.channel;
  /** Whether the cursor was visible last: a window that a person moved away is not moved back. */
  let seen = false;
  const placed = effect(() => {
    const at = replay.position.value;
    void replay.span.value;
    timeline.invalidate("marks");
    if (at === null) {
      seen = false;
      return;
    }
    const { start, span } = timeline.axis;
    const inSight = at >= start && at <= start + LEAVES_AT * span;
    if (!inSight && seen && replay.playing.peek()) timeline.panBy(at - start - ENTERS_AT * span);
    seen = inSight || (seen && replay.playing.peek());
  });
  const started = effect(() => {
    if (!replay.playing.value) return;
    const at = replay.position.peek() ?? 0;
    const { start, span } = timeline.axis;
    if (at < start || at > start + LEAVES_AT * span) timeline.panBy(at - start - ENTERS_AT * span);
    seen = true;
  });
  return () => {
    placed();
    started();
  };
}
