/** The lanes from top to bottom, and the place of each if some are folded. */
import type { Lane } from "./lane";
import { contextLane } from "./lane-context";
import { decisionLane } from "./lane-decision";
import { heardLane } from "./lane-heard";
import { inputLane } from "./lane-input";
import { latencyLane } from "./lane-latency";
import { probabilityLane } from "./lane-probability";
import { replyLane } from "./lane-reply";

export const LANES: readonly Lane[] = [
  inputLane,
  heardLane,
  decisionLane,
  probabilityLane,
  replyLane,
  latencyLane,
  contextLane,
];

/** Height of the ruler in CSS pixels. */
export const RULER_HEIGHT = 22;
/** Height of a folded lane in CSS pixels: room for its name. */
export const FOLDED_HEIGHT = 20;

export interface LanePlace {
  lane: Lane;
  top: number;
  height: number;
  folded: boolean;
}

export interface Layout {
  places: readonly LanePlace[];
  height: number;
}

/** Compute the place of each lane; those named in `folded` have only the height of their name. */
export function layoutOf(folded: ReadonlySet<string>, lanes: readonly Lane[] = LANES): Layout {
  let top = RULER_HEIGHT;
  const places = lanes.map((lane) => {
    const isFolded = folded.has(lane.id);
    const place = { lane, top, height: isFolded ? FOLDED_HEIGHT : lane.height, folded: isFolded };
    top += place.height;
    return place;
  });
  return { places, height: top };
}
