/** The whole record in one thin strip, with the window in sight marked on it: a scroll bar that shows what is where. */

import { CHOICE_CODES } from "../record/decision-table";
import { chunkCount, recordEnd, type SessionRecord } from "../record/record";
import type { HiddenFrom } from "../store/hidden";
import { eachStretch } from "./lane";
import { loudness } from "./lane-input";
import type { Palette } from "./palette";
import type { Patterns } from "./patterns";
import { DEFAULT_SPAN_S, type TimeAxis, timeAt, xOf } from "./time-axis";

export const OVERVIEW_HEIGHT = 26;
/** The mark of the window is at least so wide, to be seen and taken hold of. */
const SMALLEST_WINDOW_PX = 10;

/** The axis of the strip: everything from 0 to the end of the record. */
export function overviewAxis(record: SessionRecord, width: number): TimeAxis {
  return { start: 0, span: Math.max(DEFAULT_SPAN_S, recordEnd(record)), left: 0, width };
}

/** The window's mark on the strip. */
export interface WindowMark {
  x: number;
  width: number;
}

/** Left edge and width of the window's mark on the strip, to a device pixel: smaller moves are not seen. */
export function windowMark(strip: TimeAxis, axis: TimeAxis, scale = 1): WindowMark {
  const onPixel = (x: number) => Math.round(x * scale) / scale;
  const from = Math.max(0, onPixel(xOf(strip, axis.start)));
  const to = Math.min(strip.width, onPixel(xOf(strip, axis.start + axis.span)));
  const width = Math.min(strip.width, Math.max(SMALLEST_WINDOW_PX, to - from));
  return { x: Math.min(from, strip.width - width), width };
}

/** Start of the window whose middle is at pixel `x` of the strip. */
export function windowStart(strip: TimeAxis, axis: TimeAxis, x: number): number {
  return timeAt(strip, x) - axis.span / 2;
}

export interface OverviewScene {
  record: SessionRecord;
  palette: Palette;
  patterns: Patterns;
  hidden: HiddenFrom;
}

/** Level and spoken turns of the whole record. */
export function paintRecord(context: CanvasRenderingContext2D, scene: OverviewScene, strip: TimeAxis): void {
  const { record, palette, hidden } = scene;
  context.clearRect(0, 0, strip.width, OVERVIEW_HEIGHT);
  const frame = {
    ...scene,
    context,
    axis: strip,
    first: 0,
    last: chunkCount(record),
    top: 0,
    height: OVERVIEW_HEIGHT,
  };
  const middle = OVERVIEW_HEIGHT / 2;
  context.fillStyle = palette.wave;
  context.beginPath();
  eachStretch(frame, 1.5, ({ level, index, x, width }) => {
    const tall = Math.max(0.5, loudness(record.chunks.loudest.cell(level, index)) * (middle - 5));
    context.rect(x, middle - tall, width, 2 * tall);
  });
  context.fill();
  const accents: [number, string, number][] = [
    [CHOICE_CODES.TEXT_BEGIN, palette.accent, 4],
    [CHOICE_CODES.OTHER, palette.bad, 8],
  ];
  for (const [code, colour, tall] of accents) {
    context.fillStyle = colour;
    context.beginPath();
    eachStretch(frame, 1.5, ({ level, index, x, width, to }) => {
      if (to > hidden.decision || record.decisions.choice.cell(level, index) !== code) return;
      context.rect(x, OVERVIEW_HEIGHT - tall, Math.max(2, width), tall);
    });
    context.fill();
  }
}

export function paintWindow(
  context: CanvasRenderingContext2D,
  palette: Palette,
  { x, width }: WindowMark,
): void {
  context.fillStyle = palette["focus-soft"];
  context.strokeStyle = palette.focus;
  context.lineWidth = 1;
  context.beginPath();
  context.roundRect(x + 0.5, 0.5, width - 1, OVERVIEW_HEIGHT - 1, 3);
  context.fill();
  context.stroke();
}
