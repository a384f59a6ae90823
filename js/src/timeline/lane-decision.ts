/** Decisions, by colour and by mark: silent (grey, dot), speak (accent, ▶), violation (✕), not decided yet (hatched). */
import { CHUNK_SECONDS, type Decision } from "../events";
import { chunkStart } from "../talk";
import { type Lane, type LaneFrame, SMALLEST_CHUNK_PX } from "./lane";
import { pixelsPerSecond, timeAt, xOf } from "./time-axis";

export const decisionLane: Lane = {
  id: "decision",
  label: "decision",
  hint: "KEEP · TEXT",
  height: 38,
  draw(frame) {
    if (CHUNK_SECONDS * pixelsPerSecond(frame.axis) >= SMALLEST_CHUNK_PX) drawCells(frame);
    else drawColumns(frame);
  },
};

function drawCells(frame: LaneFrame): void {
  const { talk, axis, first, last, top, height } = frame;
  const width = CHUNK_SECONDS * pixelsPerSecond(axis);
  const gap = width > 10 ? 1.5 : 0.5;
  for (let k = first; k < last; k++) {
    const x = xOf(axis, chunkStart(talk, k)) + gap / 2;
    drawCell(frame, talk.decisions.get(k), x, top + 6, width - gap, height - 12);
  }
}

function drawCell(
  { context, palette, hatch }: LaneFrame,
  decision: Decision | undefined,
  x: number,
  y: number,
  width: number,
  height: number,
): void {
  const { colour } = palette;
  context.beginPath();
  context.roundRect(x, y, width, height, Math.min(3, width / 3));
  if (!decision) {
    context.fillStyle = hatch ?? colour.bg;
    context.fill();
    context.strokeStyle = colour.hatch;
    context.lineWidth = 1;
    context.stroke();
    return;
  }
  const centre = { x: x + width / 2, y: y + height / 2 };
  if (decision.choice === "KEEP_SILENCE") {
    context.fillStyle = colour.silent;
    context.fill();
    if (width >= 8) dot(context, centre, colour["silent-mark"]);
  } else if (decision.choice === "TEXT_BEGIN") {
    context.fillStyle = colour.accent;
    context.fill();
    if (width >= 8) triangle(context, centre, colour["on-accent"]);
  } else {
    context.fillStyle = colour.bg;
    context.fill();
    context.strokeStyle = colour.bad;
    context.lineWidth = 1.5;
    context.stroke();
    if (width >= 8) cross(context, centre, colour.bad);
  }
}

interface Point {
  x: number;
  y: number;
}

function dot(context: CanvasRenderingContext2D, { x, y }: Point, colour: string): void {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, 1.6, 0, 2 * Math.PI);
  context.fill();
}

function triangle(context: CanvasRenderingContext2D, { x, y }: Point, colour: string): void {
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(x - 3.5, y - 4.5);
  context.lineTo(x + 4.5, y);
  context.lineTo(x - 3.5, y + 4.5);
  context.fill();
}

function cross(context: CanvasRenderingContext2D, { x, y }: Point, colour: string): void {
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(x - 3.5, y - 3.5);
  context.lineTo(x + 3.5, y + 3.5);
  context.moveTo(x + 3.5, y - 3.5);
  context.lineTo(x - 3.5, y + 3.5);
  context.stroke();
}

/** Zoomed out: one column a pixel; speaking and violations win over silence, so that none disappears. */
function drawColumns({ context, talk, axis, first, last, top, height, palette }: LaneFrame): void {
  const { colour } = palette;
  let k = first;
  while (k < last) {
    const x = Math.floor(xOf(axis, chunkStart(talk, k)));
    const until = timeAt(axis, x + 1);
    let fill: string = colour.hatch;
    do {
      const choice = talk.decisions.get(k)?.choice;
      if (choice === "OTHER") fill = colour.bad;
      else if (choice === "TEXT_BEGIN" && fill !== colour.bad) fill = colour.accent;
      else if (choice && fill === colour.hatch) fill = colour.silent;
      k += 1;
    } while (k < last && chunkStart(talk, k) < until);
    const marked = fill === colour.accent || fill === colour.bad;
    context.fillStyle = fill;
    const wide = Math.max(marked ? 2 : 1, xOf(axis, chunkStart(talk, k)) - x);
    context.fillRect(x, top + (marked ? 4 : 8), wide, height - (marked ? 8 : 16));
  }
}
