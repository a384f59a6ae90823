/** A lane: one horizontal band of the timeline. Each lane is a separate file and has access to its own band only. */
import { CHUNK_SECONDS } from "../record/events";
import { chunkCount, chunkStart, type SessionRecord } from "../record/record";
import type { HiddenFrom } from "../store/hidden";
import type { Palette } from "./palette";
import type { Patterns } from "./patterns";
import { pixelsPerSecond, type TimeAxis, xOf } from "./time-axis";

/** Arguments of a lane's drawing. `first`…`last` (exclusive) are the visible chunks. */
export interface LaneFrame {
  context: CanvasRenderingContext2D;
  record: SessionRecord;
  axis: TimeAxis;
  first: number;
  last: number;
  /** Decisions and replies that step mode hides. */
  hidden: HiddenFrom;
  /** Top and height of the lane's band, in CSS pixels. */
  top: number;
  height: number;
  palette: Palette;
  patterns: Patterns;
}

export interface Lane {
  id: string;
  label: string;
  hint: string;
  /** Label and hint with a baseline policy, if the lane then shows something else or nothing. */
  ofPolicy?: { label: string; hint: string };
  height: number;
  /**
   * Whether the lane's picture does not depend on the window's position: such a lane is drawn into cached tiles. The
   * others, with words that stay in the window, are drawn in each frame.
   */
  still: boolean;
  draw(frame: LaneFrame): void;
  /** Draw what covers the whole window, in each frame: lines across, values at the edge. */
  drawFront?(frame: LaneFrame): void;
}

/** Chunks drawn as one: `2 ** level` of them, or fewer at the end. */
export interface Stretch {
  level: number;
  index: number;
  /** First chunk, and last chunk + 1. */
  from: number;
  to: number;
  x: number;
  width: number;
}

/** Smallest width of a chunk that is drawn by itself and with details, in pixels. */
export const SMALLEST_CHUNK_PX = 3;

export function chunkWidth(axis: TimeAxis): number {
  return CHUNK_SECONDS * pixelsPerSecond(axis);
}

/** Return the lowest level whose stretches are at least `narrowest` pixels wide. */
export function levelFor(axis: TimeAxis, narrowest: number): number {
  return Math.max(0, Math.ceil(Math.log2(narrowest / chunkWidth(axis)) - 1e-9));
}

/** Return a stretch of a level. Its place does not depend on the window, so nothing flickers in panning. */
export function stretchAt({ record, axis }: LaneFrame, level: number, index: number): Stretch {
  const from = index << level;
  const to = Math.min(chunkCount(record), (index + 1) << level);
  const x = xOf(axis, chunkStart(record, from));
  const end = xOf(axis, chunkStart(record, to - 1) + CHUNK_SECONDS);
  return { level, index, from, to, x, width: end - x };
}

/** Call `visit` for each visible stretch, and for one more on each side, so that lines continue to the edge. */
export function eachStretch(frame: LaneFrame, narrowest: number, visit: (stretch: Stretch) => void): void {
  const count = chunkCount(frame.record);
  if (count === 0) return;
  const level = levelFor(frame.axis, narrowest);
  const until = Math.min((count - 1) >> level, ((frame.last - 1) >> level) + 1);
  for (let index = Math.max(0, (frame.first >> level) - 1); index <= until; index++) {
    visit(stretchAt(frame, level, index));
  }
}
