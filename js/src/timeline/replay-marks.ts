/** Marks over the lanes: the selected span, the replay's cursor, and the decisions that another rule changes. */
import { CHUNK_SECONDS } from "../record/events";
import { chunkStart, firstAtOrAfter, recordEnd, type SessionRecord } from "../record/record";
import type { Flip, WhatIfResult } from "../record/what-if";
import { dot, triangle } from "./lane-decision";
import { type Layout, RULER_HEIGHT } from "./layout";
import type { Palette } from "./palette";
import type { Patterns } from "./patterns";
import { type TimeAxis, xOf } from "./time-axis";

/** Side of the cursor's handle on the ruler, in pixels. */
const HANDLE_PX = 5;
/** Smallest width of a cell with a full mark, in pixels; a changed decision in a narrower cell is a bar. */
const SMALLEST_CELL_PX = 8;

export interface ReplayMarks {
  record: SessionRecord;
  axis: TimeAxis;
  palette: Palette;
  patterns: Patterns;
  layout: Layout;
  /** Position of the replay's cursor, in seconds. */
  played: number | null;
  span: { from_s: number; to_s: number } | null;
  flips: WhatIfResult | null;
}

export function paintSpan(context: CanvasRenderingContext2D, marks: ReplayMarks): void {
  const { span, axis, palette, layout } = marks;
  if (!span) return;
  const [from, to] = within(axis, xOf(axis, span.from_s), xOf(axis, span.to_s));
  if (to <= from) return;
  context.fillStyle = palette["focus-soft"];
  context.fillRect(from, RULER_HEIGHT, to - from, layout.height - RULER_HEIGHT);
  context.fillStyle = palette.focus;
  context.fillRect(from, RULER_HEIGHT - 4, to - from, 3);
  for (const x of [xOf(axis, span.from_s), xOf(axis, span.to_s)]) {
    if (x >= axis.left && x <= axis.left + axis.width) {
      context.fillRect(Math.round(x) - 0.5, RULER_HEIGHT - 4, 1, layout.height - RULER_HEIGHT + 4);
    }
  }
}

export function paintPlayed(context: CanvasRenderingContext2D, marks: ReplayMarks): void {
  const { played, axis, palette, layout } = marks;
  if (played === null) return;
  const x = xOf(axis, played);
  if (x < axis.left - HANDLE_PX || x > axis.left + axis.width + HANDLE_PX) return;
  context.fillStyle = palette.text;
  context.fillRect(Math.round(x) - 1, RULER_HEIGHT - 6, 2, layout.height - RULER_HEIGHT + 6);
  context.beginPath();
  context.moveTo(x - HANDLE_PX, RULER_HEIGHT - 12);
  context.lineTo(x + HANDLE_PX, RULER_HEIGHT - 12);
  context.lineTo(x, RULER_HEIGHT - 4);
  context.fill();
}

/** Draw changed decisions in the lane of decisions, hatched from the chunk on from which the result is an estimate. */
export function paintFlips(context: CanvasRenderingContext2D, marks: ReplayMarks): void {
  const { flips, record, axis, patterns, layout } = marks;
  const place = layout.places.find(({ lane, folded }) => lane.id === "decision" && !folded);
  if (!flips || !place) return;
  const { top, height } = place;
  const [from, to] = within(
    axis,
    flips.exactUntil === null ? axis.left : xOf(axis, chunkStart(record, flips.exactUntil) + CHUNK_SECONDS),
    xOf(axis, recordEnd(record)),
  );
  if (to > from && !flips.exactToEnd) {
    context.fillStyle = patterns.of("waited");
    context.fillRect(from, top + 1, to - from, height - 2);
  }
  const { changed } = flips;
  const exactUntil = flips.exactUntil ?? -1;
  const right = axis.left + axis.width;
  let after = -1;
  for (let i = firstAtOrAfter(changed, firstInSight(axis)); i < changed.length; i++) {
    const flip = changed[i] as Flip;
    const x = xOf(axis, chunkStart(record, flip.chunk));
    if (x > right) break;
    // Many changed decisions may share a pixel.
    if (x < after && flip !== changed[0]) continue;
    after = x + 1;
    paintFlip(context, marks, flip, { x, top, height, estimate: flip.chunk > exactUntil });
  }
}

function firstInSight(axis: TimeAxis): number {
  return Math.max(0, Math.floor(axis.start / CHUNK_SECONDS) - 1);
}

interface Cell {
  x: number;
  top: number;
  height: number;
  /** Whether an earlier changed decision has changed the context. */
  estimate: boolean;
}

function paintFlip(
  context: CanvasRenderingContext2D,
  { axis, palette }: ReplayMarks,
  { choice }: Flip,
  { x, top, height, estimate }: Cell,
): void {
  const width = (CHUNK_SECONDS * axis.width) / axis.span - 1.5;
  if (width < SMALLEST_CELL_PX) {
    context.fillStyle = palette.focus;
    context.fillRect(x, top + (estimate ? 8 : 1), Math.max(2, width), height - (estimate ? 16 : 2));
    return;
  }
  context.beginPath();
  context.roundRect(x + 1.75, top + 4, width - 2, height - 8, 3);
  context.fillStyle = palette.bg;
  context.fill();
  context.strokeStyle = palette.focus;
  context.lineWidth = 2;
  context.setLineDash(estimate ? [3, 2] : []);
  context.stroke();
  context.setLineDash([]);
  const centre = { x: x + 0.75 + width / 2, y: top + height / 2 };
  if (choice === "TEXT_BEGIN") triangle(context, centre, palette.accent);
  else dot(context, centre, palette["silent-mark"]);
}

function within({ left, width }: TimeAxis, from: number, to: number): [number, number] {
  return [Math.max(left, from), Math.min(left + width, to)];
}
