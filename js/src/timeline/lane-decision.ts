/** Lane of decisions, by colour and mark: silent (grey, dot), speak (accent, ▶), violation (✕), undecided (hatched). */
import { CHOICE_CODES } from "../record/decision-table";
import { chunkWidth, eachStretch, type Lane, type LaneFrame, SMALLEST_CHUNK_PX, type Stretch } from "./lane";

const { KEEP_SILENCE, TEXT_BEGIN, OTHER } = CHOICE_CODES;

export const decisionLane: Lane = {
  id: "decision",
  label: "decision",
  hint: "KEEP · TEXT",
  height: 34,
  still: true,
  draw(frame) {
    if (chunkWidth(frame.axis) >= SMALLEST_CHUNK_PX) eachStretch(frame, 0, (cell) => drawCell(frame, cell));
    else drawStretches(frame);
  },
};

/** Return the highest choice code in a stretch; choices that step mode hides count as undecided. */
function choiceOf({ record, hidden }: LaneFrame, { level, index, from, to }: Stretch): number {
  const { choice } = record.decisions;
  return to <= hidden.decision
    ? choice.cell(level, index)
    : choice.range(from, Math.min(to, hidden.decision));
}

function drawCell(frame: LaneFrame, stretch: Stretch): void {
  const { context, palette, patterns, top, height } = frame;
  const gap = stretch.width > 10 ? 1.5 : 0.5;
  const width = stretch.width - gap;
  const [x, y, tall] = [stretch.x + gap / 2, top + 5, height - 10];
  const choice = choiceOf(frame, stretch);
  context.beginPath();
  context.roundRect(x, y, width, tall, Math.min(3, width / 3));
  if (choice === 0) {
    context.fillStyle = patterns.of("waited");
    context.fill();
    context.strokeStyle = palette.hatch;
    context.lineWidth = 1;
    context.stroke();
    return;
  }
  const centre = { x: x + width / 2, y: y + tall / 2 };
  if (choice === KEEP_SILENCE) {
    context.fillStyle = palette.silent;
    context.fill();
    if (width >= 8) dot(context, centre, palette["silent-mark"]);
  } else if (choice === TEXT_BEGIN) {
    context.fillStyle = palette.accent;
    context.fill();
    if (width >= 8) triangle(context, centre, palette["on-accent"]);
  } else {
    context.fillStyle = palette.bg;
    context.fill();
    context.strokeStyle = palette.bad;
    context.lineWidth = 1.5;
    context.stroke();
    if (width >= 8) cross(context, centre, palette.bad);
  }
}

interface Point {
  x: number;
  y: number;
}

export function dot(context: CanvasRenderingContext2D, { x, y }: Point, colour: string): void {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, 1.6, 0, 2 * Math.PI);
  context.fill();
}

export function triangle(context: CanvasRenderingContext2D, { x, y }: Point, colour: string): void {
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(x - 3.5, y - 4.5);
  context.lineTo(x + 4.5, y);
  context.lineTo(x - 3.5, y + 4.5);
  context.fill();
}

function cross(context: CanvasRenderingContext2D, { x, y }: Point, colour: string): void {
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(x - 3.5, y - 3.5);
  context.lineTo(x + 3.5, y + 3.5);
  context.moveTo(x + 3.5, y - 3.5);
  context.lineTo(x - 3.5, y + 3.5);
  context.stroke();
}

/**
 * Draw the zoomed-out lane: silence as a thin band, replies as tall bars, violations as taller bars with a gap. The
 * rarer kinds are drawn last and at least two pixels wide, so that each one is visible.
 */
function drawStretches(frame: LaneFrame): void {
  const { context, palette, patterns, top, height } = frame;
  const looks = [
    { fill: patterns.of("waited"), inset: 10, widest: 0 },
    { fill: palette.silent, inset: 10, widest: 0 },
    { fill: palette.accent, inset: 4, widest: 2 },
    { fill: palette.bad, inset: 1, widest: 2 },
  ] as const;
  const found: Stretch[][] = [[], [], [], []];
  eachStretch(frame, 1, (stretch) => found[choiceOf(frame, stretch)]?.push(stretch));
  looks.forEach(({ fill, inset, widest }, choice) => {
    context.fillStyle = fill;
    for (const { x, width } of found[choice] as Stretch[]) {
      const wide = Math.max(widest, width);
      if (choice === OTHER) {
        const part = (height - 2 * inset) / 2 - 2;
        context.fillRect(x, top + inset, wide, part);
        context.fillRect(x, top + height - inset - part, wide, part);
      } else {
        context.fillRect(x, top + inset, wide, height - 2 * inset);
      }
    }
  });
}
