/**
 * Lane of the replies: a box from the end of the decision on, with emotion, duration and text; the bar below has the
 * true duration.
 */

import type { Emotion } from "../record/events";
import { firstAtOrAfter, type TurnRecord, turnSpan } from "../record/record";
import { isReplyHidden } from "../store/hidden";
import { EMOTION_PATHS } from "../style/emotion";
import { shadeOf } from "../style/shade";
import { boundaries, cutAtGrapheme, directionOf, isMixed, wholeGraphemes } from "../text/graphemes";
import type { Lane, LaneFrame } from "./lane";
import { drawWithin } from "./layer";
import { pixelsPerSecond, xOf } from "./time-axis";

/** Smallest width of a box, in pixels; a narrower reply is drawn as a mark. */
const SMALLEST_BOX_PX = 5;
/** Smallest width of a box if the next reply leaves room, in pixels: its text is then readable. */
const READABLE_PX = 190;
/** Smallest distance of two marks, in pixels; nearer ones are drawn as one. */
const MARK_PX = 2;
/** Longest text of a line, in code units: more does not fit on any screen. */
const MOST_TEXT = 400;

export const replyLane: Lane = {
  id: "reply",
  label: "reply",
  hint: "text",
  height: 54,
  // The words of a box that begins left of the window stay visible.
  still: false,
  draw(frame) {
    const { record, axis, first, last, hidden } = frame;
    const { turns } = record;
    // The last reply that begins left of the window may extend into the window.
    let i = Math.max(0, firstAtOrAfter(turns, first) - 1);
    while (i < turns.length) {
      const turn = turns[i] as TurnRecord;
      if (turn.chunk >= last || isReplyHidden(hidden, turn)) break;
      const { start, seconds } = turnSpan(record, turn);
      const x = xOf(axis, start);
      const next = turns[i + 1];
      const room = next ? xOf(axis, turnSpan(record, next).start) - x - 2 : Number.POSITIVE_INFINITY;
      if (room < SMALLEST_BOX_PX) {
        drawMark(frame, x);
        // Replies under this mark need no mark of their own.
        const chunks = Math.floor(((MARK_PX / axis.width) * axis.span) / 0.4);
        i = Math.max(i + 1, firstAtOrAfter(turns, turn.chunk + chunks));
        continue;
      }
      drawTurn(frame, turn, x, seconds * pixelsPerSecond(axis), room);
      i += 1;
    }
  },
};

function drawMark({ context, palette, top, height }: LaneFrame, x: number): void {
  context.fillStyle = palette.accent;
  context.fillRect(x, top + 5, 1.5, height - 10);
}

function drawTurn(frame: LaneFrame, turn: TurnRecord, x: number, duration: number, room: number): void {
  const { context, palette, top, height, axis } = frame;
  const words = Math.min(READABLE_PX, lineOf(frame, turn).width + 28);
  const width = Math.min(room, Math.max(duration, words, 34));
  if (x + width < axis.left) return;
  const y = top + 4;
  const tall = height - 9;
  context.beginPath();
  context.roundRect(x + 0.5, y + 0.5, width - 1, tall - 1, Math.min(5, width / 3));
  context.fillStyle = palette["accent-soft"];
  context.fill();
  context.strokeStyle = palette.accent;
  context.lineWidth = 1;
  context.setLineDash(turn.ended === null ? [3, 2] : []);
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = palette.accent;
  context.fillRect(x + 1, y + tall - 3, Math.max(2, Math.min(duration, width) - 2), 2.5);
  if (width < 26) return;

  drawWithin(context, [x, y, width - 4, tall], () => {
    const left = Math.max(x, axis.left) + 6;
    const right = Math.min(x + width, axis.left + axis.width) - 6;
    context.textAlign = "left";
    context.textBaseline = "middle";
    const next = turn.emotion ? drawFace(frame, turn.emotion, left, y + 5) : left;
    context.font = `10.5px ${palette.font}`;
    context.fillStyle = palette.muted;
    context.fillText(shorten(context, turnLabel(frame, turn), right - next), next, y + 12);
    drawWords(frame, turn, left, right, y + 29);
  });
}

function drawFace({ context, palette }: LaneFrame, emotion: Emotion, x: number, y: number): number {
  context.save();
  context.translate(x, y);
  context.scale(0.82, 0.82);
  context.strokeStyle = palette.text;
  context.lineWidth = 1.3;
  context.lineCap = "round";
  context.stroke(facePath(emotion));
  context.restore();
  return x + 17;
}

const faces = new Map<Emotion, Path2D>();

function facePath(emotion: Emotion): Path2D {
  const path = faces.get(emotion) ?? new Path2D(EMOTION_PATHS[emotion]);
  faces.set(emotion, path);
  return path;
}

/**
 * Draw the words of a reply, each over the transcript's shade of its probability. The line is drawn as one text, so
 * that the browser orders and joins the letters as it does in HTML.
 */
function drawWords(frame: LaneFrame, turn: TurnRecord, left: number, right: number, y: number): void {
  const { context, palette } = frame;
  const room = right - left;
  if (room <= 0) return;
  context.font = wordFont(frame);
  const line = lineOf(frame, turn);
  const shown = line.width <= room ? line.text : shorten(context, line.text, room);
  const rightwards = line.direction === "ltr";
  const edge = rightwards ? left : right;
  let before = 0;
  for (const { text, from, to, p } of line.pieces) {
    before += text.length;
    // A piece replaced by the ellipsis has no shade.
    if (shown !== line.text && before > shown.length - 1) break;
    context.globalAlpha = 0.04 + 0.1 * shadeOf(p);
    context.fillStyle = palette.accent;
    context.fillRect(rightwards ? edge + from : edge - to, y - 8, to - from - 0.5, 15);
  }
  context.globalAlpha = 1;
  context.fillStyle = palette.text;
  // Left and right, not start and end, because these depend on the text's direction.
  context.textAlign = rightwards ? "left" : "right";
  context.direction = line.direction;
  context.fillText(shown, edge, y);
  context.direction = "ltr";
  context.textAlign = "left";
}

const wordFont = ({ palette }: LaneFrame) => `11.5px ${palette.font}`;

/** Tokens that a reader sees as one piece, and the piece's place from the start of the line, in pixels. */
interface Piece {
  text: string;
  from: number;
  to: number;
  p: number;
}

interface Line {
  font: string;
  version: number;
  text: string;
  width: number;
  direction: "ltr" | "rtl";
  /** Empty if the visual order differs from the order of the tokens, or if there are no tokens. */
  pieces: readonly Piece[];
}

/**
 * Cache of measured lines: each frame asks for them, and measuring is slow. A line is valid for one font and version
 * of its reply.
 */
const lines = new WeakMap<TurnRecord, Line>();

function lineOf(frame: LaneFrame, turn: TurnRecord): Line {
  const font = wordFont(frame);
  const known = lines.get(turn);
  if (known?.font === font && known.version === turn.version) return known;
  const { context } = frame;
  context.font = font;
  const text = cutAtGrapheme(turn.text.replaceAll(/\s+/g, " "), MOST_TEXT);
  const direction = directionOf(text);
  const line = { font, version: turn.version, text, width: context.measureText(text).width, direction };
  const pieces = isMixed(text) ? [] : piecesOf(context, turn, text);
  const made = { ...line, pieces };
  lines.set(turn, made);
  return made;
}

/**
 * Measure the pieces by the width of the line up to each: letters join, and combining marks have no width of their
 * own.
 */
function piecesOf(context: CanvasRenderingContext2D, turn: TurnRecord, text: string): Piece[] {
  const spoken = turn.tokens.filter((token) => token?.text);
  // The final text may differ from the tokens' texts: then it is drawn without shades.
  if (spoken.map((token) => token.text).join("") !== text) return [];
  let [before, from] = ["", 0];
  return wholeGraphemes(spoken, (token) => token.text).map((tokens) => {
    const piece = tokens.map((token) => token.text).join("");
    before += piece;
    const to = context.measureText(before).width;
    const made = { text: piece, from, to, p: Math.min(...tokens.map((token) => token.p)) };
    from = to;
    return made;
  });
}

function turnLabel({ record }: LaneFrame, turn: TurnRecord): string {
  const spent = record.timings.reply_ms(turn.chunk);
  const parts = [turn.emotion ?? ""];
  if (spent > 0) parts.push(spent < 100 ? `${Math.round(spent)} ms` : `${(spent / 1000).toFixed(1)} s`);
  if (turn.ended !== null && turn.ended !== "TEXT_END") parts.push(turn.ended);
  return parts.filter(Boolean).join(" · ");
}

/** Truncate `text` with an ellipsis to `width` pixels, between two graphemes. */
function shorten(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  const ends = boundaries(text);
  let low = 0;
  let high = ends.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${text.slice(0, ends[middle])}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return low === 0 ? "" : `${text.slice(0, ends[low]).trimEnd()}…`;
}
