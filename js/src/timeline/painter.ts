/** Paints one frame of the timeline: ruler, lanes, the picked chunk and the cursor. */
import { CHUNK_SECONDS } from "../events";
import { chunkStart, type Talk } from "../talk";
import type { LaneFrame } from "./lane";
import { LANES, laneTops, RULER_HEIGHT, TIMELINE_HEIGHT } from "./layout";
import type { Palette } from "./palette";
import { clockText, pixelsPerSecond, type TimeAxis, tickStep, xOf } from "./time-axis";
import { visibleChunks } from "./visible";

export interface Scene {
  talk: Talk;
  axis: TimeAxis;
  palette: Palette;
  hatch: CanvasPattern | null;
  hovered: number | null;
  selected: number | null;
  /** Exact pixel of the pointer's line, or null. */
  crosshair: number | null;
}

export function paint(context: CanvasRenderingContext2D, scene: Scene): void {
  const { talk, axis, palette } = scene;
  const right = axis.left + axis.width;
  context.clearRect(0, 0, right, TIMELINE_HEIGHT);
  drawRuler(context, scene);
  const { first, last } = visibleChunks(talk, axis);
  const tops = laneTops();
  LANES.forEach((lane, i) => {
    const top = tops[i] as number;
    drawLabel(context, scene, lane.label, lane.hint, top, lane.height);
    const frame: LaneFrame = {
      context,
      talk,
      axis,
      first,
      last,
      top,
      height: lane.height,
      palette,
      hatch: scene.hatch,
      live: talk.speaking,
    };
    context.save();
    context.beginPath();
    context.rect(axis.left, top, axis.width, lane.height);
    context.clip();
    lane.draw(frame);
    context.restore();
    context.fillStyle = palette.colour.line;
    context.fillRect(axis.left, top + lane.height - 1, axis.width, 1);
  });
  drawMarks(context, scene);
}

function drawRuler(context: CanvasRenderingContext2D, { axis, palette }: Scene): void {
  const step = tickStep(axis, 86);
  context.font = `11px ${palette.font}`;
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.lineWidth = 1;
  context.strokeStyle = palette.colour.line;
  context.setLineDash([2, 3]);
  const right = axis.left + axis.width;
  for (let n = Math.ceil(Math.max(0, axis.start) / step); n * step <= axis.start + axis.span; n++) {
    const x = Math.round(xOf(axis, n * step)) + 0.5;
    context.beginPath();
    context.moveTo(x, RULER_HEIGHT - 6);
    context.lineTo(x, TIMELINE_HEIGHT);
    context.stroke();
    const label = clockText(n * step, step);
    if (x + context.measureText(label).width > right) continue;
    context.fillStyle = palette.colour.muted;
    context.fillText(label, x, RULER_HEIGHT / 2 - 2);
  }
  context.setLineDash([]);
}

function drawLabel(
  context: CanvasRenderingContext2D,
  { axis, palette }: Scene,
  label: string,
  hint: string,
  top: number,
  height: number,
): void {
  context.textAlign = "left";
  context.textBaseline = "middle";
  const middle = top + height / 2;
  const twoLines = hint !== "" && height >= 34;
  context.fillStyle = palette.colour.text;
  context.font = `600 11px ${palette.font}`;
  context.fillText(label, 0, twoLines ? middle - 6 : middle, axis.left - 6);
  if (!twoLines) return;
  context.fillStyle = palette.colour.muted;
  context.font = `10px ${palette.font}`;
  context.fillText(hint, 0, middle + 7, axis.left - 6);
}

function drawMarks(context: CanvasRenderingContext2D, scene: Scene): void {
  const { talk, axis, palette, hovered, selected, crosshair } = scene;
  const width = Math.max(2, CHUNK_SECONDS * pixelsPerSecond(axis));
  const tall = TIMELINE_HEIGHT - RULER_HEIGHT - 1;
  context.save();
  context.beginPath();
  context.rect(axis.left - 1, 0, axis.width + 2, TIMELINE_HEIGHT);
  context.clip();
  if (hovered !== null && hovered !== selected) {
    context.fillStyle = palette.colour["focus-soft"];
    context.fillRect(xOf(axis, chunkStart(talk, hovered)), RULER_HEIGHT, width, tall);
  }
  if (selected !== null) {
    const x = xOf(axis, chunkStart(talk, selected));
    context.fillStyle = palette.colour["focus-soft"];
    context.strokeStyle = palette.colour.focus;
    context.lineWidth = 1.5;
    context.beginPath();
    context.roundRect(x, RULER_HEIGHT - 1, width, tall, Math.min(4, width / 3));
    context.fill();
    context.stroke();
  }
  if (crosshair !== null) {
    context.fillStyle = palette.colour.focus;
    context.fillRect(Math.round(crosshair), RULER_HEIGHT - 4, 1, tall + 4);
  }
  context.restore();
}

/** Diagonal lines: the mark of what has to wait. */
export function hatchPattern(
  context: CanvasRenderingContext2D,
  palette: Palette,
  scale: number,
): CanvasPattern | null {
  const side = 6;
  const tile = document.createElement("canvas");
  tile.width = side * scale;
  tile.height = side * scale;
  const pen = tile.getContext("2d");
  if (!pen) return null;
  pen.scale(scale, scale);
  pen.strokeStyle = palette.colour.hatch;
  pen.lineWidth = 1.2;
  pen.beginPath();
  for (const shift of [-side, 0, side]) {
    pen.moveTo(shift - 1, side + 1);
    pen.lineTo(shift + side + 1, -1);
  }
  pen.stroke();
  const pattern = context.createPattern(tile, "repeat");
  // The tile has device pixels, the canvas draws in CSS pixels.
  pattern?.setTransform(new DOMMatrix().scale(1 / scale));
  return pattern;
}
