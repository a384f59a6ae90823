/** Painting of an onset curve and of a raster of seeds on the timeline's axis. */

import type { Onset, Seeds } from "../record/onset";
import { chunkStart } from "../record/record";
import { chunkWidth } from "../timeline/lane";
import { drawWithin } from "../timeline/layer";
import type { Scene } from "../timeline/painter";
import { xOf } from "../timeline/time-axis";

/** Height of each of the two curves in pixels. */
const CURVE_PX = 40;
export const ONSET_HEIGHT = 2 * CURVE_PX;
/** Height of all rows of a raster in pixels, and of one of few rows. */
const RASTER_PX = 140;
const ROW_PX = 9;
/** Smallest width of a mark in pixels, so that it is seen in a window of an hour. */
const MARK_PX = 2;

/** Return the height of a raster. */
export function rasterHeight({ seeds }: Seeds): number {
  return Math.max(16, Math.min(RASTER_PX, seeds.length * ROW_PX));
}

/** Paint the hazard as bars from 0 to 1, and below it the probability of the first reply, relative to its largest. */
export function paintOnset(context: CanvasRenderingContext2D, scene: Scene, onset: Onset): void {
  const most = Math.max(...onset.first, Number.MIN_VALUE);
  within(context, scene, ONSET_HEIGHT, () => {
    bars(context, scene, onset, 0, scene.palette.focus, (i) => onset.hazard[i] as number);
    bars(context, scene, onset, CURVE_PX, scene.palette.accent, (i) => (onset.first[i] as number) / most);
    context.fillStyle = scene.palette.line;
    for (const y of [CURVE_PX, ONSET_HEIGHT]) context.fillRect(scene.axis.left, y - 1, scene.axis.width, 1);
  });
}

function bars(
  context: CanvasRenderingContext2D,
  scene: Scene,
  { chunk }: Onset,
  top: number,
  colour: string,
  share: (index: number) => number,
): void {
  context.fillStyle = colour;
  for (const [i, at] of chunk.entries()) {
    if (at >= scene.hidden.decision) break;
    const tall = share(i) * (CURVE_PX - 4);
    const [x, width] = cell(scene, at);
    if (visible(scene, x, width) && tall > 0) {
      context.fillRect(x, top + CURVE_PX - 1 - tall, width, tall);
    }
  }
}

/** Paint a row per seed, with a mark for each reply that began. */
export function paintSeeds(context: CanvasRenderingContext2D, scene: Scene, raster: Seeds): void {
  const { axis, palette, hidden } = scene;
  const height = rasterHeight(raster);
  const row = height / raster.seeds.length;
  within(context, scene, height, () => {
    for (const [i, chunks] of raster.begun.entries()) {
      context.fillStyle = palette["focus-soft"];
      if (i % 2 === 1 && row >= 3) context.fillRect(axis.left, i * row, axis.width, row);
      context.fillStyle = palette.accent;
      for (const chunk of chunks) {
        const [x, width] = cell(scene, chunk);
        if (chunk < hidden.decision && visible(scene, x, width)) {
          context.fillRect(x, i * row + Math.min(1, row / 4), width, row - Math.min(2, row / 2));
        }
      }
    }
  });
}

function within(context: CanvasRenderingContext2D, { axis }: Scene, height: number, draw: () => void): void {
  drawWithin(context, [axis.left, 0, axis.width, height], draw);
}

/** Return left edge and width of a chunk's mark, with a gap to the next where there is room. */
function cell({ axis, record }: Scene, chunk: number): readonly [x: number, width: number] {
  const wide = chunkWidth(axis);
  return [xOf(axis, chunkStart(record, chunk)), Math.max(MARK_PX, wide > 6 ? wide - 1 : wide)];
}

function visible({ axis }: Scene, x: number, width: number): boolean {
  return x + width >= axis.left && x <= axis.left + axis.width;
}
