/** A lane: one horizontal band of the timeline. Each lane is a file of its own and knows only its band. */
import { CHUNK_SECONDS } from "../record/events";
import { chunkCount, chunkStart, type SessionRecord } from "../record/record";
import type { HiddenFrom } from "../store/hidden";
import type { Palette } from "./palette";
import type { Patterns } from "./patterns";
import { pixelsPerSecond, type TimeAxis, xOf } from "./time-axis";

/** What a lane gets to draw with. `first`…`last` (exclusive) are the chunks in sight. */
export interface LaneFrame {
  context: CanvasRenderingContext2D;
  record: SessionRecord;
  axis: TimeAxis;
  first: number;
  last: number;
  /** What step mode hides. */
  hidden: HiddenFrom;
  /** Top of the lane's band and its height, in CSS pixels. */
  top: number;
  height: number;
  palette: Palette;
  patterns: Patterns;
}

export interface Lane {
  id: string;
  label: string;
  hint: string;
  /** Label and hint where a baseline policy listens, if the lane then shows something else or nothing. */
  ofPolicy?: { label: string; hint: string };
  height: number;
  /**
   * A lane whose picture is the same wherever the window stands is drawn into tiles that are kept. The others (words
   * that stay in sight) are drawn anew for each frame.
   */
  still: boolean;
  draw(frame: LaneFrame): void;
  /** What lies over the whole window, drawn for each frame: lines across, figures at the edge. */
  drawFront?(frame: LaneFrame): void;
}

/** Chunks drawn as one: `2 ** level` of them, or fewer at the end. */
export interface Stretch {
  level: number;
  index: number;
  /** First chunk, and one past the last. */
  from: number;
  to: number;
  x: number;
  width: number;
}

/** Below this many pixels a chunk is drawn as part of a stretch, without its details. */
export const SMALLEST_CHUNK_PX = 3;

export function chunkWidth(axis: TimeAxis): number {
  return CHUNK_SECONDS * pixelsPerSecond(axis);
}

/** The lowest level whose stretches are at least `narrowest` pixels wide. */
export function levelFor(axis: TimeAxis, narrowest: number): number {
  return Math.max(0, Math.ceil(Math.log2(narrowest / chunkWidth(axis)) - 1e-9));
}

/** Where a stretch of a level lies. Its place does not depend on the window, so nothing flickers in panning. */
export function stretchAt({ record, axis }: LaneFrame, level: number, index: number): Stretch {
  const from = index << level;
  const to = Math.min(chunkCount(record), (index + 1) << level);
  const x = xOf(axis, chunkStart(record, from));
  const end = xOf(axis, chunkStart(record, to - 1) + CHUNK_SECONDS);
  return { level, index, from, to, x, width: end - x };
}

/** Calls `visit` for each stretch in sight, and for one more at each side so that lines run off the edge. */
export function eachStretch(frame: LaneFrame, narrowest: number, visit: (stretch: Stretch) => void): void {
  const count = chunkCount(frame.record);
  if (count === 0) return;
  const level = levelFor(frame.axis, narrowest);
  const until = Math.min((count - 1) >> level, ((frame.last - 1) >> level) + 1);
  for (let index = Math.max(0, (frame.first >> level) - 1); index <= until; index++) {
    visit(stretchAt(frame, level, index));
  }
}
