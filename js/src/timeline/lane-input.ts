/** Input level: mirrored peaks of 25 ms each; clipped sound in its own colour; hatched where it had to wait. */
import { CHUNK_SECONDS } from "../events";
import { chunkStart } from "../talk";
import type { Lane, LaneFrame } from "./lane";
import { pixelsPerSecond, timeAt, xOf } from "./time-axis";

/** Small sounds stay visible: half the band for −20 dB. */
const loudness = (peak: number) => Math.min(1, Math.max(0, peak)) ** 0.6;

export const inputLane: Lane = {
  id: "input",
  label: "input",
  hint: "level",
  height: 58,
  draw(frame) {
    if (CHUNK_SECONDS * pixelsPerSecond(frame.axis) >= 8) drawChunks(frame);
    else drawColumns(frame);
  },
};

function drawChunks({ context, talk, axis, first, last, top, height, palette, hatch }: LaneFrame): void {
  const middle = top + height / 2;
  const half = height / 2 - 4;
  const chunkWidth = CHUNK_SECONDS * pixelsPerSecond(axis);
  for (let k = first; k < last; k++) {
    const chunk = talk.chunks.get(k);
    if (!chunk) continue;
    const x = xOf(axis, chunk.start_s);
    if (hatch && chunk.flags.includes("waited")) {
      context.fillStyle = hatch;
      context.fillRect(x, top + 3, chunkWidth, height - 6);
    }
    // Wide enough bars: neighbours are merged where a point would be thinner than two pixels.
    const points = chunk.envelope.length;
    const merge = Math.max(1, Math.ceil((2 * points) / chunkWidth));
    const bar = (chunkWidth * merge) / points;
    context.fillStyle = chunk.flags.includes("clipped") ? palette.colour.clip : palette.colour.wave;
    for (let i = 0; i < points; i += merge) {
      let peak = 0;
      for (let j = i; j < Math.min(points, i + merge); j++) peak = Math.max(peak, chunk.envelope[j] ?? 0);
      const tall = Math.max(0.75, loudness(peak) * half);
      context.fillRect(x + (i / points) * chunkWidth, middle - tall, Math.max(1, bar - 0.6), 2 * tall);
    }
    if (chunk.flags.includes("clipped")) {
      context.fillStyle = palette.colour.bad;
      context.fillRect(x + 1, top + 1, chunkWidth - 2, 2);
    }
  }
}

/** Zoomed out: one column a pixel, as tall as the loudest chunk in it. */
function drawColumns({ context, talk, axis, first, last, top, height, palette }: LaneFrame): void {
  const middle = top + height / 2;
  const half = height / 2 - 4;
  context.fillStyle = palette.colour.wave;
  let k = first;
  while (k < last) {
    const x = Math.floor(xOf(axis, chunkStart(talk, k)));
    const until = timeAt(axis, x + 1);
    let peak = 0;
    do {
      peak = Math.max(peak, talk.chunks.loudest.cell(0, k));
      k += 1;
    } while (k < last && chunkStart(talk, k) < until);
    const tall = Math.max(0.75, loudness(peak) * half);
    const wide = Math.max(1, xOf(axis, chunkStart(talk, k)) - x - 0.4);
    context.fillRect(x, middle - tall, wide, 2 * tall);
  }
}
