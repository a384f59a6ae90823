/** The time axis that all lanes share: which seconds are in sight, and where they lie. Pure functions. */

export interface TimeAxis {
  /** Seconds at the left edge. */
  start: number;
  /** Seconds in sight. */
  span: number;
  /** Pixels of the lanes' left edge, and their width. */
  left: number;
  width: number;
}

export const DEFAULT_SPAN_S = 16;
const SHORTEST_SPAN_S = 1.6;
const LONGEST_SPAN_S = 24 * 3600;
/** Empty seconds kept in sight before the beginning and after the end. */
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

/** Moves by `seconds`, never so far that nothing of the record (which ends at `end`) is in sight. */
export function pan(axis: TimeAxis, seconds: number, end: number): TimeAxis {
  const latest = Math.max(0, end - axis.span / 2);
  return { ...axis, start: clamp(axis.start + seconds, Math.min(-MARGIN_S, latest), latest) };
}

/** Magnifies by `factor`; the time at pixel `x` stays where it is. */
export function zoom(axis: TimeAxis, factor: number, x: number): TimeAxis {
  const span = clamp(axis.span / factor, SHORTEST_SPAN_S, LONGEST_SPAN_S);
  const fixed = timeAt(axis, x);
  const start = fixed - ((x - axis.left) / axis.width) * span;
  return { ...axis, span, start: Math.max(start, Math.min(0, -MARGIN_S)) };
}

/** Everything from 0 to `end`. */
export function fit(axis: TimeAxis, end: number): TimeAxis {
  return { ...axis, start: 0, span: Math.max(DEFAULT_SPAN_S, end + MARGIN_S) };
}

/** Start at which the newest chunk is at the right. */
export function followStart(axis: TimeAxis, end: number): number {
  return Math.max(0, end + MARGIN_S - axis.span);
}

/** The same axis, moved just enough to bring `from`…`to` into sight. */
export function reveal(axis: TimeAxis, from: number, to: number): TimeAxis {
  const margin = Math.min(MARGIN_S, axis.span / 8);
  if (from - margin < axis.start) return { ...axis, start: Math.max(0, from - margin) };
  if (to + margin > axis.start + axis.span) return { ...axis, start: to + margin - axis.span };
  return axis;
}

const STEPS_S = [0.4, 1, 2, 4, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];

/** Seconds between two labels, so that they lie at least `pixels` apart. */
export function tickStep(axis: TimeAxis, pixels: number): number {
  const wanted = pixels / pixelsPerSecond(axis);
  return STEPS_S.find((step) => step >= wanted) ?? 7200;
}

/** Seconds as the ruler shows them: `4 s`, `1:20`, `1:02:05`. */
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
