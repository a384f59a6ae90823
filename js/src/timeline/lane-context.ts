/** Lane of the context and the session: a shape for each kind of notice, with its word if there is room. */
import type { Notice } from "../record/events";
import { chunkStart, firstAtOrAfter } from "../record/record";
import { isNoticeHidden } from "../store/hidden";
import type { Lane, LaneFrame } from "./lane";
import type { ColourName } from "./palette";
import { timeAt, xOf } from "./time-axis";

type Shape = "slide" | "ring" | "stop" | "bars" | "diamond" | "cross" | "flag";
interface Look {
  shape: Shape;
  colour: ColourName;
  word: string;
}

const LOOKS: Record<string, Look> = {
  context_slide: { shape: "slide", colour: "silent-mark", word: "slide" },
  context_reset: { shape: "ring", colour: "focus", word: "reset" },
  context_full: { shape: "stop", colour: "bad", word: "full" },
  limit: { shape: "stop", colour: "bad", word: "limit" },
  interrupted: { shape: "bars", colour: "accent", word: "interrupted" },
  settings: { shape: "diamond", colour: "muted", word: "settings" },
  fork: { shape: "diamond", colour: "focus", word: "fork" },
  context_rebuilt: { shape: "ring", colour: "muted", word: "rebuilt" },
  server_changed: { shape: "flag", colour: "bad", word: "server lost" },
  dropped: { shape: "cross", colour: "bad", word: "dropped" },
  gap: { shape: "cross", colour: "bad", word: "gap" },
  paused: { shape: "bars", colour: "muted", word: "paused" },
  stalled: { shape: "cross", colour: "bad", word: "no sound" },
  microphone: { shape: "flag", colour: "bad", word: "microphone" },
  lost_blocks: { shape: "cross", colour: "bad", word: "lost" },
  notices_dropped: { shape: "cross", colour: "bad", word: "notices dropped" },
  audio_discarded: { shape: "cross", colour: "muted", word: "discarded" },
  events_reduced: { shape: "cross", colour: "muted", word: "details discarded" },
  not_written: { shape: "cross", colour: "bad", word: "not written" },
  salvaged: { shape: "cross", colour: "bad", word: "incomplete" },
  undecided: { shape: "cross", colour: "bad", word: "undecided" },
  input_interrupted: { shape: "cross", colour: "muted", word: "interrupted input" },
  voice: { shape: "flag", colour: "accent", word: "spoken" },
  voice_failed: { shape: "cross", colour: "bad", word: "not spoken" },
  violation: { shape: "cross", colour: "bad", word: "violation" },
};

/** Smallest distance of two marks, in pixels: the first mark stands for nearer ones. */
const MARK_PX = 20;

export const contextLane: Lane = {
  id: "context",
  label: "context",
  hint: "",
  height: 24,
  still: false,
  draw(frame) {
    const { context, record, axis, first, last, hidden, palette } = frame;
    const { notices } = record;
    context.font = `10px ${palette.font}`;
    context.textAlign = "left";
    context.textBaseline = "middle";
    // The words of a notice left of the window may extend into the window.
    let i = Math.max(0, firstAtOrAfter(notices, first) - 1);
    let free = axis.left;
    while (i < notices.length) {
      const notice = notices[i] as Notice;
      if (notice.chunk >= last || isNoticeHidden(hidden, notice)) break;
      const x = xOf(axis, chunkStart(record, Math.max(0, notice.chunk)));
      const run = runOfSlides(frame, i);
      if (run > i + 1) {
        drawRun(frame, i, run, free);
        i = run;
        continue;
      }
      const next = Math.max(i + 1, firstAfter(frame, i, timeAt(axis, x + MARK_PX)));
      // The ticks of a run leave room for a word.
      const following = notices[Math.max(next, runOfSlides(frame, next))];
      const end = following ? xOf(axis, chunkStart(record, following.chunk)) - 6 : axis.left + axis.width;
      free = drawNotice(frame, tellingOf(notices, i, next), next - i, x, end);
      i = next;
    }
  },
};

/** Largest distance of two slides of a run, in pixels, and smallest of two of its ticks. */
const RUN_PX = 160;
const TICK_PX = 3;

/**
 * Return the index behind the run of slides that begins at a notice: with a short context there is one a second, and
 * as many words would hide everything else. Slides that share one mark are no run.
 */
function runOfSlides({ record, axis, last, hidden }: LaneFrame, from: number): number {
  let first: number | null = null;
  let before = 0;
  let i = from;
  for (; i < record.notices.length; i++) {
    const notice = record.notices[i] as Notice;
    if (notice.kind !== "context_slide" || notice.chunk >= last || isNoticeHidden(hidden, notice)) break;
    const x = xOf(axis, chunkStart(record, Math.max(0, notice.chunk)));
    if (first !== null && x - before > RUN_PX) break;
    first ??= x;
    before = x;
  }
  return before - (first ?? 0) < MARK_PX ? from : i;
}

/**
 * Draw a run of slides: a tick for each on one line, and the word once, at the beginning, at the window's edge, or
 * behind `free`, where another word ends.
 */
function drawRun(frame: LaneFrame, from: number, to: number, free: number): void {
  const { context, record, axis, palette, top, height } = frame;
  const at = (i: number) => xOf(axis, chunkStart(record, Math.max(0, (record.notices[i] as Notice).chunk)));
  const [first, bottom] = [at(from), top + height - 3];
  context.fillStyle = palette[(LOOKS.context_slide as Look).colour];
  context.fillRect(first, bottom - 1, at(to - 1) - first + 1, 1);
  let drawn = Number.NEGATIVE_INFINITY;
  for (let i = from; i < to; i++) {
    const x = at(i);
    if (x - drawn < TICK_PX) continue;
    drawn = x;
    context.fillRect(x, bottom - 6, 1, 6);
  }
  const following = record.notices[to];
  const right = axis.left + axis.width;
  const end = following ? Math.min(right, xOf(axis, chunkStart(record, following.chunk)) - 6) : right;
  const left = Math.max(free + 3, first + 3);
  const { width } = context.measureText("slides");
  if (left + width > end) return;
  context.fillStyle = palette.muted;
  context.fillText("slides", left, top + height / 2 - 3);
}

/** Kinds of routine notices: a shared mark shows one of these only if it has no other kind. */
const EVERYDAY = ["context_slide", "microphone", "stream"];

/** Return the first notice of a shared mark that is not of a routine kind, or the first one. */
function tellingOf(notices: readonly Notice[], from: number, to: number): Notice {
  for (let i = from; i < to; i++) {
    const notice = notices[i] as Notice;
    if (!EVERYDAY.includes(notice.kind)) return notice;
  }
  return notices[from] as Notice;
}

/** Return the index of the first notice from `from` on whose chunk starts at or after `seconds`. */
function firstAfter({ record }: LaneFrame, from: number, seconds: number): number {
  let low = from;
  let high = record.notices.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const { chunk } = record.notices[middle] as Notice;
    if (chunkStart(record, Math.max(0, chunk)) < seconds) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Draw a notice, with its word if there is room until `end`. Return where the drawing ends. */
function drawNotice(frame: LaneFrame, notice: Notice, many: number, x: number, end: number): number {
  const { context, palette, top, height } = frame;
  const look = LOOKS[notice.kind] ?? {
    shape: "flag",
    colour: "muted",
    word: notice.kind.replaceAll("_", " "),
  };
  const colour = palette[look.colour];
  const middle = top + height / 2;
  context.fillStyle = context.strokeStyle = colour;
  context.fillRect(x, top + 3, 1, height - 6);
  context.lineWidth = 1.5;
  context.beginPath();
  shapes[look.shape](context, x + 3, middle);
  const word = many > 1 ? `${look.word} +${many - 1}` : look.word;
  const { width } = context.measureText(word);
  if (x + 14 + width > end) return x + 14;
  context.fillStyle = palette.muted;
  context.fillText(word, x + 14, middle + 0.5);
  return x + 14 + width;
}

type Pen = CanvasRenderingContext2D;

/** Shapes of 8 × 8 pixels, from `x` on and centred on `y`. */
const shapes: Record<Shape, (pen: Pen, x: number, y: number) => void> = {
  slide(pen, x, y) {
    for (const at of [x + 4, x + 8]) {
      pen.moveTo(at, y - 4);
      pen.lineTo(at - 4, y);
      pen.lineTo(at, y + 4);
    }
    pen.stroke();
  },
  ring(pen, x, y) {
    pen.arc(x + 4, y, 3.5, -0.4, 1.6 * Math.PI);
    pen.moveTo(x + 8.5, y - 4.5);
    pen.lineTo(x + 7.4, y - 1.2);
    pen.lineTo(x + 4.4, y - 2.6);
    pen.stroke();
  },
  stop(pen, x, y) {
    pen.rect(x, y - 4, 8, 8);
    pen.fill();
  },
  bars(pen, x, y) {
    pen.rect(x + 0.5, y - 4, 2.5, 8);
    pen.rect(x + 5, y - 4, 2.5, 8);
    pen.fill();
  },
  diamond(pen, x, y) {
    pen.moveTo(x, y);
    pen.lineTo(x + 4, y - 4.5);
    pen.lineTo(x + 8, y);
    pen.lineTo(x + 4, y + 4.5);
    pen.fill();
  },
  cross(pen, x, y) {
    pen.moveTo(x, y - 4);
    pen.lineTo(x + 8, y + 4);
    pen.moveTo(x + 8, y - 4);
    pen.lineTo(x, y + 4);
    pen.stroke();
  },
  flag(pen, x, y) {
    pen.moveTo(x - 2, y - 6);
    pen.lineTo(x + 7, y - 2.5);
    pen.lineTo(x - 2, y + 1);
    pen.fill();
  },
};
