/** Painter of the timeline in two layers: ruler and lanes; and over them the selected chunk and the cursor. */
import { CHUNK_SECONDS } from "../record/events";
import { chunkStart, type SessionRecord } from "../record/record";
import type { LaneFrame } from "./lane";
import { drawWithin } from "./layer";
import { type Layout, RULER_HEIGHT } from "./layout";
import type { Palette } from "./palette";
import type { TileCache, TileScene } from "./tiles";
import { clockText, pixelsPerSecond, type TimeAxis, tickStep, xOf } from "./time-axis";
import { visibleChunks } from "./visible";

export interface Scene extends TileScene {
  axis: TimeAxis;
}

/** Smallest distance of the ruler's labels, in pixels. */
const LABEL_PX = 86;

/**
 * Draw the ruler, still lanes from their tiles, and the lanes whose words move with the window. Return whether all
 * tiles are up to date; if not, the next frame continues.
 */
export function paintLanes(context: CanvasRenderingContext2D, scene: Scene, tiles: TileCache): boolean {
  const { record, axis, palette, patterns, layout, hidden } = scene;
  context.clearRect(0, 0, axis.left + axis.width, layout.height);
  // Numbers and words run from left to right, whatever the direction of the page.
  context.direction = "ltr";
  drawRuler(context, scene);
  const whole = tiles.draw(context, scene, axis);
  const { first, last } = visibleChunks(record, axis);
  for (const { lane, top, height, folded } of layout.places) {
    if (!folded && (!lane.still || lane.drawFront)) {
      const frame: LaneFrame = { context, record, axis, first, last, hidden, top, height, palette, patterns };
      drawWithin(context, [axis.left, top, axis.width, height], () => {
        if (!lane.still) lane.draw(frame);
        lane.drawFront?.(frame);
      });
    }
    context.fillStyle = palette.line;
    context.fillRect(axis.left, top + height - 1, axis.width, 1);
  }
  return whole;
}

function drawRuler(context: CanvasRenderingContext2D, { axis, palette, layout }: Scene): void {
  const step = tickStep(axis, LABEL_PX);
  const right = axis.left + axis.width;
  context.font = `11px ${palette.font}`;
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.lineWidth = 1;
  context.strokeStyle = palette.line;
  context.fillStyle = palette.muted;
  context.setLineDash([2, 3]);
  context.beginPath();
  for (let n = Math.ceil(Math.max(0, axis.start) / step); n * step <= axis.start + axis.span; n++) {
    const x = Math.round(xOf(axis, n * step)) + 0.5;
    context.moveTo(x, RULER_HEIGHT - 6);
    context.lineTo(x, layout.height);
    const label = clockText(n * step, step);
    // Largest width of a label, in pixels; a label that would be cut is left out.
    if (x + 44 < right || x + context.measureText(label).width < right) {
      context.fillText(label, x, RULER_HEIGHT / 2 - 2);
    }
  }
  context.stroke();
  context.setLineDash([]);
}

export interface Marks {
  record: SessionRecord;
  axis: TimeAxis;
  palette: Palette;
  layout: Layout;
  hovered: number | null;
  selected: number | null;
  /** Exact pixel of the pointer's line, or null. */
  crosshair: number | null;
}

/** Draw what moves with pointer and keyboard, on a separate layer, so that the lanes are not drawn again. */
export function paintMarks(context: CanvasRenderingContext2D, marks: Marks): void {
  const { record, axis, palette, layout, hovered, selected, crosshair } = marks;
  context.clearRect(0, 0, axis.left + axis.width, layout.height);
  const width = Math.max(2, CHUNK_SECONDS * pixelsPerSecond(axis));
  const tall = layout.height - RULER_HEIGHT - 1;
  if (hovered !== null && hovered !== selected) {
    context.fillStyle = palette["focus-soft"];
    context.strokeStyle = palette.focus;
    context.lineWidth = 1;
    const x = xOf(axis, chunkStart(record, hovered));
    context.fillRect(x, RULER_HEIGHT, width, tall);
    // Without a pointer the cursor is the keyboard's, and must be visible without the shade.
    if (crosshair === null) context.strokeRect(x + 0.5, RULER_HEIGHT - 0.5, Math.max(1, width - 1), tall);
  }
  if (selected !== null) {
    const x = xOf(axis, chunkStart(record, selected));
    context.fillStyle = palette["focus-soft"];
    context.strokeStyle = palette.focus;
    context.lineWidth = 2;
    context.beginPath();
    context.roundRect(x, RULER_HEIGHT - 1, width, tall, Math.min(4, width / 3));
    context.fill();
    context.stroke();
  }
  if (crosshair !== null) {
    context.fillStyle = palette.focus;
    context.fillRect(Math.round(crosshair), RULER_HEIGHT - 4, 1, tall + 4);
  }
}
