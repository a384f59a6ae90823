/** The replay's cursor and the selected span on the timeline: where they lie, and how the timeline follows. */
import { effect } from "@preact/signals";
import { CHUNK_SECONDS } from "../record/events";
import { chunkCount, chunkStart, recordEnd, type SessionRecord } from "../record/record";
import type { View } from "../view";
import { type TimeAxis, timeAt } from "./time-axis";

/** Parts of the window at which the cursor leaves it, and where it then stands. */
const LEAVES_AT = 0.96;
const ENTERS_AT = 0.06;

/** The part of the timeline that follows the cursor. */
interface Window {
  readonly axis: TimeAxis;
  invalidate(what: "marks"): void;
  panBy(seconds: number): void;
}

interface Span {
  from_s: number;
  to_s: number;
}

/** The chunk that is heard at the replay's cursor; null before the replay was used. */
export function playedChunk(view: View): number | null {
  const at = view.channel.replay.position.peek();
  const count = chunkCount(view.store.record);
  if (at === null || count === 0) return null;
  return Math.max(0, Math.min(count - 1, Math.floor(at / CHUNK_SECONDS + 1e-6)));
}

/** Puts the replay's cursor on a chunk: of a record always, of a session only once the replay was used. */
export function cue(view: View, chunk: number | null): void {
  const { ongoing, replay } = view.channel;
  if (chunk === null || (ongoing && replay.position.peek() === null)) return;
  replay.seek(chunkStart(view.store.record, chunk));
}

/** The chunks between two pixels, as a span; null where there is none. */
export function spanBetween(record: SessionRecord, axis: TimeAxis, a: number, b: number): Span | null {
  const [from, to] = [timeAt(axis, Math.min(a, b)), timeAt(axis, Math.max(a, b))];
  const from_s = Math.max(0, Math.floor(from / CHUNK_SECONDS) * CHUNK_SECONDS);
  const to_s = Math.min(recordEnd(record), Math.ceil(to / CHUNK_SECONDS) * CHUNK_SECONDS);
  return to_s > from_s ? { from_s, to_s } : null;
}

/** Sets one edge of the selected span to a chunk; the other one stays where it makes a span. */
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

/** Redraws cursor and span when they change, and turns the page when the cursor leaves the window in playing. */
export function followReplay(timeline: Window, view: View): () => void {
  const { replay } = view.channel;
  /** Whether the cursor was in sight last: a window that a person moved away stays where it is. */
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
