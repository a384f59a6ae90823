/** The whole record in one thin strip with the window marked: a scroll bar that also shows the record. */

import { CHOICE_CODES } from "../record/decision-table";
import { chunkCount, recordEnd, type SessionRecord } from "../record/record";
import type { HiddenFrom } from "../store/hidden";
import { eachStretch } from "./lane";
import { loudness } from "./lane-input";
import type { Palette } from "./palette";
import type { Patterns } from "./patterns";
import { DEFAULT_SPAN_S, type TimeAxis, timeAt, xOf } from "./time-axis";

/** Height of the strip in CSS pixels. */
export const OVERVIEW_HEIGHT = 26;
/** Smallest width of the window's mark, in pixels, so that it can be seen and dragged. */
const SMALLEST_WINDOW_PX = 10;

/** Return the axis of the strip: from 0 to the end of the record. */
export function overviewAxis(record: SessionRecord, width: number): TimeAxis {
  return { start: 0, span: Math.max(DEFAULT_SPAN_S, recordEnd(record)), left: 0, width };
}

/** Mark of the window on the strip. */
export interface WindowMark {
  x: number;
  width: number;
}

/**
 * Return left edge and width of the window's mark on the strip, rounded to device pixels: smaller moves are
 * invisible.
 */
export function windowMark(strip: TimeAxis, axis: TimeAxis, scale = 1): WindowMark {
  const onPixel = (x: number) => Math.round(x * scale) / scale;
  const from = Math.max(0, onPixel(xOf(strip, axis.start)));
  const to = Math.min(strip.width, onPixel(xOf(strip, axis.start + axis.span)));
  const width = Math.min(strip.width, Math.max(SMALLEST_WINDOW_PX, to - from));
  return { x: Math.min(from, strip.width - width), width };
}

/** Return the start of the window whose middle is at pixel `x` of the strip. */
export function windowStart(strip: TimeAxis, axis: TimeAxis, x: number): number {
  return timeAt(strip, x) - axis.span / 2;
}

export interface OverviewScene {
  record: SessionRecord;
  palette: Palette;
  patterns: Patterns;
  hidden: HiddenFrom;
}

/** Draw level and replies of the whole record. */
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
