/** A lane: one horizontal band of the timeline. Each lane is a file of its own and knows only its band. */
import type { Talk } from "../talk";
import type { Palette } from "./palette";
import type { TimeAxis } from "./time-axis";

/** What a lane gets to draw with. `first`…`last` (exclusive) are the chunks in sight. */
export interface LaneFrame {
  context: CanvasRenderingContext2D;
  talk: Talk;
  axis: TimeAxis;
  first: number;
  last: number;
  /** Top of the lane's band and its height, in CSS pixels. */
  top: number;
  height: number;
  palette: Palette;
  hatch: CanvasPattern | null;
  /** Chunks arrive and the reply, if any, is still running. */
  live: boolean;
}

export interface Lane {
  id: string;
  label: string;
  hint: string;
  height: number;
  draw(frame: LaneFrame): void;
}

/** Below this many pixels a chunk is drawn as part of a column, not on its own. */
export const SMALLEST_CHUNK_PX = 3;
