/** Which lanes there are, from top to bottom, and where each one lies. */
import type { Lane } from "./lane";
import { decisionLane } from "./lane-decision";
import { inputLane } from "./lane-input";
import { noticeLane } from "./lane-notice";
import { probabilityLane } from "./lane-probability";
import { replyLane } from "./lane-reply";

export const LANES: readonly Lane[] = [inputLane, decisionLane, probabilityLane, replyLane, noticeLane];

export const RULER_HEIGHT = 24;
const WIDE_GUTTER = 78;
const NARROW_GUTTER = 54;
const NARROW = 480;

export const TIMELINE_HEIGHT = LANES.reduce((sum, lane) => sum + lane.height, RULER_HEIGHT);

/** Width of the labels' column. */
export function gutterOf(width: number): number {
  return width < NARROW ? NARROW_GUTTER : WIDE_GUTTER;
}

export function laneTops(lanes: readonly Lane[] = LANES): number[] {
  let top = RULER_HEIGHT;
  return lanes.map((lane) => {
    const at = top;
    top += lane.height;
    return at;
  });
}
