/**
 * Lane of the latency of each chunk: its parts stacked in their order, and the deadline of 0.4 s as a line. A bar
 * that several chunks share shows the slowest chunk.
 */

import { DEADLINE_MS, LATENCY_PARTS, type LatencyPart } from "../record/latency-table";
import { eachStretch, type Lane, type LaneFrame, type Stretch } from "./lane";

/** Milliseconds at the top of the lane. */
const CEILING_MS = 500;
/** Smallest width of a bar, in pixels; narrower chunks share one. */
const SMALLEST_BAR_PX = 2;
const PAD_PX = 4;

export const latencyLane: Lane = {
  id: "latency",
  label: "latency",
  hint: "ms a chunk",
  height: 58,
  still: true,
  draw(frame) {
    const bars = barsOf(frame);
    for (const part of LATENCY_PARTS) drawPart(frame, bars, part);
    drawOverflow(frame, bars);
  },
  drawFront: drawDeadline,
};

interface Bar extends Stretch {
  chunk: number;
  /** Sum of the parts drawn so far, in milliseconds. */
  from_ms: number;
}

export function heightOf({ height }: Pick<LaneFrame, "height">, ms: number): number {
  return (Math.min(ms, CEILING_MS) / CEILING_MS) * (height - 2 * PAD_PX);
}

function barsOf(frame: LaneFrame): Bar[] {
  const { worst } = frame.record.latency;
  const bars: Bar[] = [];
  eachStretch(frame, SMALLEST_BAR_PX, (stretch) => {
    // The latency of a hidden decision is hidden too: its bar would reveal that a decision was made.
    if (stretch.from >= frame.hidden.decision) return;
    const chunk = worst.cell(stretch.level, stretch.index);
    if (chunk >= 0) bars.push({ ...stretch, chunk, from_ms: 0 });
  });
  return bars;
}

function drawPart(frame: LaneFrame, bars: Bar[], part: LatencyPart): void {
  const { context, record, top, height, palette } = frame;
  const ground = top + height - PAD_PX;
  context.fillStyle = palette[`part-${part}`];
  for (const bar of bars) {
    const ms = record.latency.part(bar.chunk, part) || 0;
    const [low, high] = [heightOf(frame, bar.from_ms), heightOf(frame, bar.from_ms + ms)];
    bar.from_ms += ms;
    const gap = bar.width >= 8 ? 2 : bar.width > 3 ? 1 : 0;
    if (high - low > 0.1) context.fillRect(bar.x + gap / 2, ground - high, bar.width - gap, high - low);
  }
}

/** Mark a bar that is cut at the top of the lane. */
function drawOverflow({ context, top, palette }: LaneFrame, bars: readonly Bar[]): void {
  context.fillStyle = palette.bad;
  context.beginPath();
  for (const { x, width, from_ms } of bars) {
    if (from_ms <= CEILING_MS) continue;
    const [middle, half] = [x + width / 2, Math.min(4, Math.max(2, width / 3))];
    context.moveTo(middle - half, top + PAD_PX);
    context.lineTo(middle + half, top + PAD_PX);
    context.lineTo(middle, top + PAD_PX - 1.2 * half);
  }
  context.fill();
}

function drawDeadline(frame: LaneFrame): void {
  const { context, record, axis, top, height, palette } = frame;
  if (record.latency.length === 0) return;
  const y = Math.round(top + height - PAD_PX - heightOf(frame, DEADLINE_MS)) + 0.5;
  const right = axis.left + axis.width;
  context.strokeStyle = palette.bad;
  context.lineWidth = 1;
  context.setLineDash([4, 2]);
  context.beginPath();
  context.moveTo(axis.left, y);
  context.lineTo(right, y);
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = palette.muted;
  context.font = `10px ${palette.font}`;
  context.textAlign = "right";
  context.textBaseline = "top";
  const label = `${DEADLINE_MS} ms`;
  // The outline keeps the label legible in front of bars.
  context.strokeStyle = palette.bg;
  context.lineWidth = 3;
  context.strokeText(label, right - 3, y + 2);
  context.fillText(label, right - 3, y + 2);
}
