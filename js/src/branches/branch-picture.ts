/** Painting of the lanes of one branch. The chunks before the fork are the original's and are not painted. */

import { differsAt } from "../record/branch-difference";
import { CHUNK_SECONDS } from "../record/events";
import { chunkStart, recordEnd, type SessionRecord } from "../record/record";
import { chunkWidth, type LaneFrame } from "../timeline/lane";
import { decisionLane } from "../timeline/lane-decision";
import { probabilityLane } from "../timeline/lane-probability";
import { replyLane } from "../timeline/lane-reply";
import { drawWithin } from "../timeline/layer";
import type { Scene } from "../timeline/painter";
import { xOf } from "../timeline/time-axis";
import { visibleChunks } from "../timeline/visible";

/** Height of the marks of differences above the decisions, in pixels. */
const MARKS_PX = 11;
const LANES = [
  [decisionLane, 30],
  [probabilityLane, 44],
  [replyLane, 50],
] as const;
export const BRANCH_HEIGHT = MARKS_PX + LANES.reduce((sum, [, height]) => sum + height, 0);
/** Half the width of a diamond in pixels; in chunks that are narrower a bar replaces it. */
const DIAMOND_PX = 4;

export interface BranchPicture {
  /** First chunk that is the branch's own. */
  chunk: number;
  record: SessionRecord;
}

export function paintBranch(context: CanvasRenderingContext2D, scene: Scene, branch: BranchPicture): void {
  const { axis, palette, patterns, hidden, record: original } = scene;
  const { record, chunk } = branch;
  const right = axis.left + axis.width;
  context.clearRect(0, 0, right, BRANCH_HEIGHT);
  context.direction = "ltr";
  const fork = xOf(axis, chunkStart(original, chunk));
  const { first, last } = visibleChunks(record, axis);
  const frame = { context, record, axis, first: Math.max(first, chunk), last, hidden, palette, patterns };
  const left = Math.max(axis.left, fork);
  let top = MARKS_PX;
  for (const [lane, height] of LANES) {
    if (left < right) {
      // A reply may go on beyond the last chunk; the others end with it.
      drawWithin(context, [left, top, right - left, height], () => lane.draw({ ...frame, top, height }));
    }
    top += height;
    context.fillStyle = palette.line;
    context.fillRect(left, top - 1, right - left, 1);
  }
  drawFork(context, scene, fork);
  drawDifferences({ ...frame, top: 0, height: MARKS_PX }, original);
}

/** Paint the line of the fork, with an arrow to the branch's own decisions. */
function drawFork(context: CanvasRenderingContext2D, { axis, palette }: Scene, x: number): void {
  if (x < axis.left - DIAMOND_PX || x > axis.left + axis.width) return;
  context.fillStyle = palette.focus;
  context.fillRect(Math.round(x) - 1, 0, 2, BRANCH_HEIGHT);
  context.beginPath();
  context.moveTo(x, BRANCH_HEIGHT / 2 - 6);
  context.lineTo(x + 7, BRANCH_HEIGHT / 2);
  context.lineTo(x, BRANCH_HEIGHT / 2 + 6);
  context.fill();
}

/** Paint a diamond above each chunk that differs: filled for another decision, empty for another reply. */
function drawDifferences(frame: LaneFrame, original: SessionRecord): void {
  const { context, record, axis, first, last, hidden, palette } = frame;
  const wide = chunkWidth(axis);
  const until = Math.min(last, hidden.decision, Math.ceil(recordEnd(record) / CHUNK_SECONDS));
  let after = Number.NEGATIVE_INFINITY;
  context.fillStyle = palette.focus;
  context.strokeStyle = palette.focus;
  context.lineWidth = 1.5;
  for (let chunk = first; chunk < until; chunk++) {
    const x = xOf(axis, chunkStart(original, chunk)) + wide / 2;
    if (x < after) continue;
    const how = differsAt(original, record, chunk);
    if (!how) continue;
    after = x + 1;
    if (wide < 2 * DIAMOND_PX) {
      context.fillRect(x - 1, how === "decision" ? 1 : 5, 2, MARKS_PX - (how === "decision" ? 2 : 6));
      continue;
    }
    diamond(context, x, MARKS_PX / 2);
    if (how === "decision") context.fill();
    else context.stroke();
    // The cell is framed too: a diamond alone is overlooked in a full window.
    context.strokeRect(x - wide / 2 + 0.75, MARKS_PX, wide - 1.5, LANES[0][1] - 2);
  }
}

function diamond(context: CanvasRenderingContext2D, x: number, y: number): void {
  context.beginPath();
  context.moveTo(x, y - DIAMOND_PX);
  context.lineTo(x + DIAMOND_PX, y);
  context.lineTo(x, y + DIAMOND_PX);
  context.lineTo(x - DIAMOND_PX, y);
  context.closePath();
}
