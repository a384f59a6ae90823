/** Time axis of all lanes: the visible seconds and their pixels. Pure functions. */

export interface TimeAxis {
  /** Seconds at the left edge. */
  start: number;
  /** Visible seconds. */
  span: number;
  /** Left edge and width of the lanes, in pixels. */
  left: number;
  width: number;
}

/** Visible seconds at first: 40 chunks. */
export const DEFAULT_SPAN_S = 16;
/** Visible seconds at the largest magnification: four chunks. */
const SHORTEST_SPAN_S = 1.6;
/** Visible seconds at the smallest magnification: a day. */
const LONGEST_SPAN_S = 24 * 3600;
/** Empty seconds that may be visible before the beginning and after the end. */
const MARGIN_S = 0.8;

export function xOf(axis: TimeAxis, seconds: number): number {
  return axis.left + ((seconds - axis.start) / axis.span) * axis.width;
}

export function timeAt(axis: TimeAxis, x: number): number {
  return axis.start + ((x - axis.left) / axis.width) * axis.span;
}

export function pixelsPerSecond(axis: TimeAxis): number {
  return axis.width / axis.span;
}

/** Move the window by `seconds`, limited so that a part of the record (which ends at `end`) stays visible. */
export function pan(axis: TimeAxis, seconds: number, end: number): TimeAxis {
  const latest = Math.max(0, end - axis.span / 2);
  return { ...axis, start: clamp(axis.start + seconds, Math.min(-MARGIN_S, latest), latest) };
}

/** Magnify by `factor` around pixel `x`, whose time does not change. */
export function zoom(axis: TimeAxis, factor: number, x: number): TimeAxis {
  const span = clamp(axis.span / factor, SHORTEST_SPAN_S, LONGEST_SPAN_S);
  const fixed = timeAt(axis, x);
  const start = fixed - ((x - axis.left) / axis.width) * span;
  return { ...axis, span, start: Math.max(start, Math.min(0, -MARGIN_S)) };
}

/** Show everything from 0 to `end`. */
export function fit(axis: TimeAxis, end: number): TimeAxis {
  return { ...axis, start: 0, span: Math.max(DEFAULT_SPAN_S, end + MARGIN_S) };
}

/** Return the start at which the newest chunk is at the right edge. */
export function followStart(axis: TimeAxis, end: number): number {
  return Math.max(0, end + MARGIN_S - axis.span);
}

/** Move the axis as little as possible so that `from`…`to` is visible. */
export function reveal(axis: TimeAxis, from: number, to: number): TimeAxis {
  const margin = Math.min(MARGIN_S, axis.span / 8);
  if (from - margin < axis.start) return { ...axis, start: Math.max(0, from - margin) };
  if (to + margin > axis.start + axis.span) return { ...axis, start: to + margin - axis.span };
  return axis;
}

const STEPS_S = [0.4, 1, 2, 4, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];

/** Return the seconds between two labels that are at least `pixels` apart. */
export function tickStep(axis: TimeAxis, pixels: number): number {
  const wanted = pixels / pixelsPerSecond(axis);
  return STEPS_S.find((step) => step >= wanted) ?? 7200;
}

/** Format seconds for the ruler: `4 s`, `1:20`, `1:02:05`. */
export function clockText(seconds: number, step = 1): string {
  if (seconds < 60) return `${step < 1 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
