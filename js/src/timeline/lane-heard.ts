/**
 * Lane of the model's input: the log-mel of the resampled audio, low bands at the bottom, and flags of the audio:
 * clipped (▼ above); padded, gated, dropped or late (a strip with its own pattern and colour below).
 */

import { type DrawnFlag, FLAG_BITS } from "../record/chunk-table";
import { MEL_BANDS, MEL_FRAMES } from "../record/events";
import { chunkWidth, eachStretch, type Lane, type LaneFrame, levelFor, type Stretch } from "./lane";
import { type Palette, ramp } from "./palette";

/** Smallest width of a column of the picture, in pixels. */
const COLUMN_PX = 1;
/** Smallest width of a flag, in pixels, so that each one is visible. */
const SMALLEST_MARK_PX = 2;
/** Height of the strip of a flag, in pixels. */
const STRIP_PX = 5;
const STRIPS = ["padded", "gated", "dropped", "late"] as const satisfies DrawnFlag[];
/** Numbers of frames that one column may average: the divisors of a chunk's ten. */
const GROUPS = [1, 2, 5, 10] as const;

export const heardLane: Lane = {
  id: "heard",
  label: "heard",
  hint: "log-mel",
  ofPolicy: { label: "heard", hint: "no log-mel" },
  height: 52,
  still: true,
  draw(frame) {
    drawPicture(frame);
    drawMarks(frame);
  },
};

const ramps = new WeakMap<Palette, Uint32Array>();

/** Return the colour of each value of a band. */
function rampOf(palette: Palette): Uint32Array {
  let found = ramps.get(palette);
  if (!found) {
    found = new Uint32Array(ramp(palette["mel-low"], palette["mel-mid"], palette["mel-high"]).buffer);
    ramps.set(palette, found);
  }
  return found;
}

/** Draw each run of adjacent stretches as one small image with a pixel per band and column, scaled to its place. */
function drawPicture(frame: LaneFrame): void {
  const wide = chunkWidth(frame.axis);
  const group = GROUPS.find((frames) => (wide * frames) / MEL_FRAMES >= COLUMN_PX);
  const level = group ? 0 : levelFor(frame.axis, COLUMN_PX);
  const columns = group ? MEL_FRAMES / group : 1;
  let run: Stretch[] = [];
  const finish = () => {
    if (run.length > 0) drawRun(frame, run, columns);
    run = [];
  };
  eachStretch(frame, group ? 0 : COLUMN_PX, (stretch) => {
    const before = run.at(-1);
    if (before && Math.abs(before.x + before.width - stretch.x) > 0.5) finish();
    if (frame.record.chunks.mel.average(level, stretch.index)) run.push(stretch);
    else finish();
  });
  finish();
}

function drawRun(frame: LaneFrame, run: Stretch[], columns: number): void {
  const { context, top, height, palette, record } = frame;
  const colours = rampOf(palette);
  const image = new ImageData(run.length * columns, MEL_BANDS);
  const pixels = new Uint32Array(image.data.buffer);
  run.forEach(({ level, index, from }, i) => {
    const { mel } = record.chunks;
    const bytes = columns === 1 ? mel.average(level, index) : mel.frames(from);
    if (!bytes) return;
    for (let column = 0; column < columns; column++) {
      for (let band = 0; band < MEL_BANDS; band++) {
        const value = columns === 1 ? (bytes[band] as number) : grouped(bytes, column, columns, band);
        pixels[(MEL_BANDS - 1 - band) * image.width + i * columns + column] = colours[value] as number;
      }
    }
  });
  const [first, last] = [run[0] as Stretch, run.at(-1) as Stretch];
  const small = smallCanvas(image.width);
  const pen = small.getContext("2d");
  if (!pen) return;
  pen.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = chunkWidth(frame.axis) < 240;
  const width = last.x + last.width - first.x;
  context.drawImage(small, 0, 0, image.width, MEL_BANDS, first.x, top + 3, width, height - 7);
}

/** Average one band over the frames of a column. */
function grouped(frames: Uint8Array, column: number, columns: number, band: number): number {
  const group = MEL_FRAMES / columns;
  let sum = 0;
  for (let f = column * group; f < (column + 1) * group; f++) sum += frames[f * MEL_BANDS + band] as number;
  return Math.round(sum / group);
}

let shared: HTMLCanvasElement | null = null;

/** Return the canvas that all images share: each one is copied to the lane before the next is made. */
function smallCanvas(width: number): HTMLCanvasElement {
  shared ??= document.createElement("canvas");
  if (shared.height !== MEL_BANDS) shared.height = MEL_BANDS;
  if (shared.width < width) shared.width = width;
  return shared;
}

function drawMarks(frame: LaneFrame): void {
  const { context, record, top, height, palette, patterns } = frame;
  eachStretch(frame, SMALLEST_MARK_PX, ({ level, index, x, width }) => {
    const bits = record.chunks.flags.cell(level, index);
    if (bits === 0) return;
    const wide = Math.max(2, width - (level === 0 ? 1 : 0));
    let y = top + height - 4 - STRIP_PX;
    for (const flag of STRIPS) {
      if ((bits & FLAG_BITS[flag]) === 0) continue;
      context.fillStyle = palette.bg;
      context.fillRect(x, y, wide, STRIP_PX);
      context.fillStyle = patterns.of(flag);
      // A dropped chunk was never input of the model: the pattern covers its place.
      if (flag === "dropped" && level === 0) context.fillRect(x, top + 3, wide, height - 7);
      else context.fillRect(x, y, wide, STRIP_PX);
      y -= STRIP_PX + 1;
    }
    if ((bits & FLAG_BITS.clipped) === 0) return;
    context.fillStyle = palette.bad;
    const middle = x + wide / 2;
    const half = Math.min(4, Math.max(1.5, wide / 2));
    context.beginPath();
    context.moveTo(middle - half, top + 2);
    context.lineTo(middle + half, top + 2);
    context.lineTo(middle, top + 2 + 1.4 * half);
    context.fill();
  });
}
