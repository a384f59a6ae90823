/**
 * Lane of the input level: mirrored peaks of 25 ms each, drawn as one shape. Where several peaks share a pixel, the
 * shape is as tall as the loudest and its darker core as tall as the quietest. Waiting audio is hatched, clipped
 * audio is marked.
 */

import { FLAG_BITS } from "../record/chunk-table";
import { ENVELOPE_POINTS } from "../record/events";
import { chunkWidth, eachStretch, type Lane, type LaneFrame } from "./lane";

/** Smallest step of the shape, in pixels. */
const STEP_PX = 1.5;
const PAD_PX = 4;

/** Convert a peak (0…1) to a height (0…1): −20 dB is half the band, so that quiet sounds are visible. */
export const loudness = (peak: number) => Math.min(1, Math.max(0, peak)) ** 0.6;

export const inputLane: Lane = {
  id: "input",
  label: "input",
  hint: "level",
  height: 54,
  still: true,
  draw(frame) {
    drawFlags(frame);
    const { context, palette } = frame;
    const fine = chunkWidth(frame.axis) >= 2 * STEP_PX;
    const shape = fine ? pointShape(frame) : stretchShape(frame, "loudest");
    fillMirrored(frame, shape, palette.wave);
    if (!fine) fillMirrored(frame, stretchShape(frame, "quietest"), palette["wave-core"]);
    context.fillStyle = palette.bad;
    eachStretch(frame, SMALLEST_MARK_PX, ({ level, index, x, width }) => {
      if ((frame.record.chunks.flags.cell(level, index) & FLAG_BITS.clipped) === 0) return;
      context.fillRect(x, frame.top + 1, Math.max(2, width - 1), 2);
    });
  },
};

const SMALLEST_MARK_PX = 2;

function drawFlags(frame: LaneFrame): void {
  const { context, record, top, height, patterns } = frame;
  context.fillStyle = patterns.of("waited");
  eachStretch(frame, SMALLEST_MARK_PX, ({ level, index, x, width }) => {
    // Zoomed out over hours, the hatching would cover the whole lane.
    if (level > 1 || (record.chunks.flags.cell(level, index) & FLAG_BITS.waited) === 0) return;
    context.fillRect(x, top + 3, width, height - 6);
  });
}

/** x and loudness of each step as three numbers: left, right, 0…1. */
type Shape = number[];

function pointShape(frame: LaneFrame): Shape {
  const { record, axis } = frame;
  const merge = Math.max(1, Math.ceil((STEP_PX * ENVELOPE_POINTS) / chunkWidth(axis)));
  const shape: Shape = [];
  eachStretch(frame, 0, ({ from, x, width }) => {
    const points = record.chunks.points(from);
    const step = width / points;
    for (let i = 0; i < points; i += merge) {
      const end = Math.min(points, i + merge);
      let peak = 0;
      for (let j = i; j < end; j++) peak = Math.max(peak, record.chunks.peak(from, j));
      shape.push(x + i * step, x + end * step, loudness(peak));
    }
  });
  return shape;
}

function stretchShape(frame: LaneFrame, which: "loudest" | "quietest"): Shape {
  const shape: Shape = [];
  eachStretch(frame, STEP_PX, ({ level, index, x, width }) => {
    const peak = frame.record.chunks[which].cell(level, index);
    if (Number.isFinite(peak)) shape.push(x, x + width, loudness(peak));
  });
  return shape;
}

/** Fill each run without a gap as one path: forth along the upper edge, back along the lower edge. */
function fillMirrored({ context, top, height }: LaneFrame, shape: Shape, colour: string): void {
  const middle = top + height / 2;
  const half = height / 2 - PAD_PX;
  const tall = (i: number) => Math.max(0.6, (shape[i + 2] as number) * half);
  context.fillStyle = colour;
  context.beginPath();
  for (let begin = 0; begin < shape.length; ) {
    let end = begin + 3;
    while (end < shape.length && (shape[end] as number) - (shape[end - 2] as number) < 0.5) end += 3;
    context.moveTo(shape[begin] as number, middle);
    for (let i = begin; i < end; i += 3) {
      context.lineTo(((shape[i] as number) + (shape[i + 1] as number)) / 2, middle - tall(i));
    }
    context.lineTo(shape[end - 2] as number, middle);
    for (let i = end - 3; i >= begin; i -= 3) {
      context.lineTo(((shape[i] as number) + (shape[i + 1] as number)) / 2, middle + tall(i));
    }
    context.closePath();
    begin = end;
  }
  context.fill();
}
