/** The raw probability of TEXT_BEGIN after each chunk, with the line at one half. */
import { CHUNK_SECONDS } from "../events";
import { chunkStart } from "../talk";
import type { Lane, LaneFrame } from "./lane";
import { pixelsPerSecond, timeAt, xOf } from "./time-axis";

export const probabilityLane: Lane = {
  id: "probability",
  label: "p(TEXT)",
  hint: "raw",
  height: 66,
  draw(frame) {
    const { context, axis, top, height, palette } = frame;
    const y = (p: number) => top + 8 + (1 - p) * (height - 16);
    context.strokeStyle = palette.colour.muted;
    context.lineWidth = 1;
    context.setLineDash([4, 3]);
    context.beginPath();
    context.moveTo(axis.left, Math.round(y(0.5)) + 0.5);
    context.lineTo(axis.left + axis.width, Math.round(y(0.5)) + 0.5);
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = palette.colour.muted;
    context.font = `10px ${palette.font}`;
    context.textAlign = "right";
    context.textBaseline = "bottom";
    context.fillText("0.5", axis.left + axis.width - 3, y(0.5) - 1);
    drawTrace(frame, y);
  },
};

function drawTrace(frame: LaneFrame, y: (p: number) => number): void {
  const { context, talk, axis, palette } = frame;
  const points = tracePoints(frame);
  context.strokeStyle = palette.colour.accent;
  context.fillStyle = palette.colour.accent;
  context.lineWidth = 1.5;
  context.lineJoin = "round";
  context.beginPath();
  let previous = -2;
  for (const { chunk, last, p } of points) {
    const x = xOf(axis, chunkStart(talk, chunk) + CHUNK_SECONDS / 2);
    if (chunk === previous + 1) context.lineTo(x, y(p));
    else context.moveTo(x, y(p));
    previous = last;
  }
  context.stroke();
  const step = CHUNK_SECONDS * pixelsPerSecond(axis);
  if (step < 6) return;
  for (const { chunk, p } of points) {
    const spoke = talk.decisions.get(chunk)?.choice === "TEXT_BEGIN";
    context.beginPath();
    const x = xOf(axis, chunkStart(talk, chunk) + CHUNK_SECONDS / 2);
    context.arc(x, y(p), spoke ? 3.5 : Math.min(2, step / 6), 0, 2 * Math.PI);
    context.fill();
  }
}

/** One point a chunk, or where chunks are thinner than a pixel, the highest of each pixel. */
function tracePoints({ talk, axis, first, last }: LaneFrame): { chunk: number; last: number; p: number }[] {
  const points: { chunk: number; last: number; p: number }[] = [];
  // One chunk more at each side, so that the line runs off the edge.
  const from = Math.max(0, first - 1);
  const until = Math.min(talk.decisions.length, last + 1);
  const perPixel = 1 / pixelsPerSecond(axis);
  for (let k = from; k < until; k++) {
    const decision = talk.decisions.get(k);
    if (!decision) continue;
    const point = points.at(-1);
    const column = Math.floor((chunkStart(talk, k) - timeAt(axis, axis.left)) / perPixel);
    const before = point && Math.floor((chunkStart(talk, point.chunk) - timeAt(axis, axis.left)) / perPixel);
    if (point && column === before) {
      point.p = Math.max(point.p, decision.p_text);
      point.last = k;
    } else {
      points.push({ chunk: k, last: k, p: decision.p_text });
    }
  }
  return points;
}
