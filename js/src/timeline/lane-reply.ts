/** Replies: a box from the decision's end, with emotion, duration and text; the bar below it is the true duration. */
import { EMOTION_PATHS } from "../emotion";
import type { Emotion, Token } from "../events";
import { isReplyHidden } from "../hidden";
import { shadeOf } from "../panels/shade";
import { firstAtOrAfter, type TurnRecord, turnSpan } from "../talk";
import type { Lane, LaneFrame } from "./lane";
import { drawWithin } from "./layer";
import { pixelsPerSecond, xOf } from "./time-axis";

/** Where replies lie closer than this, each is a bare mark. */
const SMALLEST_BOX_PX = 5;
/** A box is at least so wide, if the next reply leaves the room. */
const READABLE_PX = 190;
/** Marks nearer than this are one. */
const MARK_PX = 2;

export const replyLane: Lane = {
  id: "reply",
  label: "reply",
  hint: "text",
  height: 54,
  // A box that begins left of the window keeps its words in sight.
  still: false,
  draw(frame) {
    const { talk, axis, first, last, hidden } = frame;
    const { turns } = talk;
    // The last one that begins left of the window may reach into it.
    let i = Math.max(0, firstAtOrAfter(turns, first) - 1);
    while (i < turns.length) {
      const turn = turns[i] as TurnRecord;
      if (turn.chunk >= last || isReplyHidden(hidden, turn)) break;
      const { start, seconds } = turnSpan(talk, turn);
      const x = xOf(axis, start);
      const next = turns[i + 1];
      const room = next ? xOf(axis, turnSpan(talk, next).start) - x - 2 : Number.POSITIVE_INFINITY;
      if (room < SMALLEST_BOX_PX) {
        drawMark(frame, x);
        // Whatever lies under this mark needs none of its own.
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
  const words = Math.min(READABLE_PX, textWidth(frame, turn) + 28);
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

/** The reply's words, each over the shade that the transcript gives it: the less sure the model was, the fuller. */
function drawWords(frame: LaneFrame, turn: TurnRecord, left: number, right: number, y: number): void {
  const { context, palette } = frame;
  context.font = wordFont(frame);
  const spoken = turn.tokens.filter((token) => token?.text);
  const whole = spoken.map((token) => token.text).join("");
  // Without tokens, or where the kernel settled on another text, the text alone.
  if (whole !== turn.text || /\s{2}|\n/.test(whole)) {
    context.fillStyle = palette.text;
    context.fillText(shorten(context, turn.text, right - left), left, y);
    return;
  }
  let x = left;
  for (const token of spoken) {
    const width = tokenWidth(frame, token);
    // Room for the dots, unless nothing follows.
    if (x + width > right - (token === spoken.at(-1) ? 0 : 8)) {
      context.fillStyle = palette.text;
      context.fillText("…", x, y);
      return;
    }
    context.globalAlpha = 0.04 + 0.1 * shadeOf(token.p);
    context.fillStyle = palette.accent;
    context.fillRect(x, y - 8, width - 0.5, 15);
    context.globalAlpha = 1;
    context.fillStyle = palette.text;
    context.fillText(token.text, x, y);
    x += width;
  }
}

const wordFont = ({ palette }: LaneFrame) => `11.5px ${palette.font}`;

/** Widths are asked for in every frame, and measuring is slow. They hold for one font. */
const tokenWidths = new WeakMap<Token, { font: string; width: number }>();
const textWidths = new WeakMap<TurnRecord, { font: string; version: number; width: number }>();

function tokenWidth(frame: LaneFrame, token: Token): number {
  const font = wordFont(frame);
  const known = tokenWidths.get(token);
  if (known?.font === font) return known.width;
  const { width } = frame.context.measureText(token.text);
  tokenWidths.set(token, { font, width });
  return width;
}

function textWidth(frame: LaneFrame, turn: TurnRecord): number {
  const font = wordFont(frame);
  const known = textWidths.get(turn);
  if (known?.font === font && known.version === turn.version) return known.width;
  frame.context.font = font;
  const { width } = frame.context.measureText(turn.text.slice(0, 60));
  textWidths.set(turn, { font, version: turn.version, width });
  return width;
}

function turnLabel({ talk }: LaneFrame, turn: TurnRecord): string {
  const spent = talk.timings.reply_ms(turn.chunk);
  const parts = [turn.emotion ?? ""];
  if (spent > 0) parts.push(spent < 100 ? `${Math.round(spent)} ms` : `${(spent / 1000).toFixed(1)} s`);
  if (turn.ended !== null && turn.ended !== "TEXT_END") parts.push(turn.ended);
  return parts.filter(Boolean).join(" · ");
}

/** `text`, cut with an ellipsis to fit `width` pixels. */
function shorten(context: CanvasRenderingContext2D, text: string, width: number): string {
  const line = text.replaceAll(/\s+/g, " ").slice(0, 400);
  if (context.measureText(line).width <= width) return line;
  let low = 0;
  let high = line.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${line.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return low === 0 ? "" : `${line.slice(0, low).trimEnd()}…`;
}
