/** Replies: a box from the decision's end, with emotion, duration and text; the bar below it is the true duration. */
import { EMOTION_PATHS } from "../emotion";
import { type TurnRecord, turnSpan } from "../talk";
import type { Lane, LaneFrame } from "./lane";
import { pixelsPerSecond, xOf } from "./time-axis";

/** Where replies lie closer than this, each is a bare mark. */
const SMALLEST_BOX_PX = 5;

/** A box is at least so wide, if the next reply leaves the room. */
const READABLE_PX = 190;

export const replyLane: Lane = {
  id: "reply",
  label: "reply",
  hint: "text",
  height: 58,
  draw(frame) {
    const { talk, axis } = frame;
    const turns = talk.turns;
    for (let i = firstTurnInSight(frame); i < turns.length; i++) {
      const turn = turns[i] as TurnRecord;
      const { start, seconds } = turnSpan(talk, turn);
      if (start > axis.start + axis.span) break;
      const next = turns[i + 1];
      const room = next ? xOf(axis, turnSpan(talk, next).start) - xOf(axis, start) - 2 : Infinity;
      drawTurn(frame, turn, xOf(axis, start), seconds * pixelsPerSecond(axis), room);
    }
  },
};

/** Turns are in order of time. The last one that starts left of the axis may reach into it. */
function firstTurnInSight({ talk, axis }: LaneFrame): number {
  let low = 0;
  let high = talk.turns.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (turnSpan(talk, talk.turns[middle] as TurnRecord).start < axis.start) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

function drawTurn(frame: LaneFrame, turn: TurnRecord, x: number, duration: number, room: number): void {
  const { context, palette, top, height, axis } = frame;
  const { colour } = palette;
  if (room < SMALLEST_BOX_PX) {
    context.fillStyle = colour.accent;
    context.fillRect(x, top + 5, Math.max(1.5, room), height - 10);
    return;
  }
  context.font = `11.5px ${palette.font}`;
  const words = Math.min(READABLE_PX, context.measureText(turn.text).width + 16);
  const width = Math.min(room, Math.max(duration, words, 34));
  const y = top + 5;
  const tall = height - 10;
  context.beginPath();
  context.roundRect(x + 0.5, y + 0.5, width - 1, tall - 1, Math.min(5, width / 3));
  context.fillStyle = colour["accent-soft"];
  context.fill();
  context.strokeStyle = colour.accent;
  context.lineWidth = 1;
  context.setLineDash(turn.ended === null ? [3, 2] : []);
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = colour.accent;
  context.fillRect(x + 1, y + tall - 3, Math.max(2, Math.min(duration, width) - 2), 2.5);
  if (width < 26) return;

  context.save();
  context.beginPath();
  context.rect(x, y, width - 4, tall);
  context.clip();
  // A box that begins left of the lanes keeps its words in sight.
  const at = Math.max(x, axis.left) + 6;
  const end = Math.min(x + width, axis.left + axis.width);
  let next = at;
  context.textAlign = "left";
  context.textBaseline = "middle";
  if (turn.emotion) {
    context.save();
    context.translate(next, y + 6);
    context.scale(0.82, 0.82);
    context.strokeStyle = colour.text;
    context.lineWidth = 1.3;
    context.lineCap = "round";
    context.stroke(new Path2D(EMOTION_PATHS[turn.emotion]));
    context.restore();
    next += 17;
  }
  context.font = `10.5px ${palette.font}`;
  context.fillStyle = colour.muted;
  context.fillText(shorten(context, turnLabel(frame, turn), end - 6 - next), next, y + 13);
  context.font = `11.5px ${palette.font}`;
  context.fillStyle = colour.text;
  context.fillText(shorten(context, turn.text, end - 6 - at), at, y + 31);
  context.restore();
}

function turnLabel({ talk }: LaneFrame, turn: TurnRecord): string {
  const spent = talk.timings.get(turn.chunk)?.reply_ms ?? 0;
  const parts = [turn.emotion ?? ""];
  if (spent > 0) parts.push(spent < 100 ? `${Math.round(spent)} ms` : `${(spent / 1000).toFixed(1)} s`);
  if (turn.ended === "interrupted" || turn.ended === "limit") parts.push(turn.ended);
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
