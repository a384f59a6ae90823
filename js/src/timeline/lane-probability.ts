/**
 * Lane of the raw probability of TEXT_BEGIN after each chunk, upwards from the bottom; the probability of all tokens
 * but the two decision tokens, shaded downwards from the top; and the threshold: above this line speaking is more
 * probable, bias included. With a baseline policy: its detector's score and threshold.
 */
import { CHOICE_CODES } from "../record/decision-table";
import { type PolicyScore, policyOf } from "../record/policy";
import { chunkWidth, eachStretch, type Lane, type LaneFrame, type Stretch } from "./lane";
import { pixelsPerSecond } from "./time-axis";

const PAD_PX = 7;
/** Smallest width of a stretch of the trace, in pixels. */
const STEP_PX = 2;
/** Smallest width of a chunk whose point is drawn as a dot, in pixels. */
const SMALLEST_DOTS_PX = 6;

export const probabilityLane: Lane = {
  id: "probability",
  label: "p(TEXT)",
  hint: "raw",
  ofPolicy: { label: "speech", hint: "score" },
  height: 62,
  still: true,
  draw(frame) {
    const peaks = traceOf(frame);
    drawOthers(frame, peaks);
    drawThreshold(frame, peaks);
    drawTrace(frame, peaks);
  },
  drawFront: labelThreshold,
};

/** Point of the trace: the chunk with the highest probability in a stretch. */
interface Peak extends Stretch {
  chunk: number;
  /** Raw probability of TEXT_BEGIN; with a policy, the height of its score. */
  p: number;
  other: number;
  threshold: number;
}

export function yOf({ top, height }: Pick<LaneFrame, "top" | "height">, p: number): number {
  return top + PAD_PX + (1 - p) * (height - 2 * PAD_PX);
}

function traceOf(frame: LaneFrame): Peak[] {
  const { decisions } = frame.record;
  const { hidden } = frame;
  const peaks: Peak[] = [];
  eachStretch(frame, STEP_PX, (stretch) => {
    const { level, index, from, to } = stretch;
    const whole = to <= hidden.decision;
    const until = Math.min(to, hidden.decision);
    const chunk = whole ? decisions.likeliest.cell(level, index) : decisions.likeliest.range(from, until);
    if (chunk < 0) return;
    const other = whole ? decisions.otherMost.cell(level, index) : decisions.otherMost.range(from, until);
    const { height, threshold } = decisions.columns.of;
    peaks.push({
      ...stretch,
      chunk,
      p: height[chunk] as number,
      other,
      threshold: threshold[chunk] as number,
    });
  });
  return peaks;
}

/** Return whether two points are joined by the line: no undecided chunk is between them. */
const joined = (a: Peak | undefined, b: Peak) => a !== undefined && a.index + 1 === b.index;

function drawOthers(frame: LaneFrame, peaks: readonly Peak[]): void {
  const { context, palette, patterns } = frame;
  const ceiling = yOf(frame, 1);
  context.beginPath();
  for (const { x, width, other } of peaks) {
    const tall = yOf(frame, 1 - other) - ceiling;
    if (tall >= 0.4) context.rect(x, ceiling, width, tall);
  }
  context.fillStyle = palette["other-soft"];
  context.fill();
  context.fillStyle = patterns.of("other");
  context.fill();
}

function drawThreshold(frame: LaneFrame, peaks: readonly Peak[]): void {
  const { context, palette } = frame;
  context.strokeStyle = palette.muted;
  context.lineWidth = 1;
  context.setLineDash([4, 3]);
  // The dashes continue from tile to tile.
  context.lineDashOffset = frame.axis.start * pixelsPerSecond(frame.axis) + (peaks[0]?.x ?? 0);
  context.beginPath();
  let before: Peak | undefined;
  for (const peak of peaks) {
    const y = yOf(frame, peak.threshold);
    if (joined(before, peak)) context.lineTo(peak.x, y);
    else context.moveTo(peak.x, y);
    context.lineTo(peak.x + peak.width, y);
    before = peak;
  }
  context.stroke();
  context.setLineDash([]);
  context.lineDashOffset = 0;
}

/** Write the threshold of the newest visible decision at the right edge. */
function labelThreshold(frame: LaneFrame): void {
  const { context, record, axis, first, last, hidden, palette } = frame;
  let chunk = Math.min(last, hidden.decision, record.decisions.length) - 1;
  // The newest chunks may be undecided. Further back, the value would belong to another decision.
  for (let looked = 0; looked < 8 && chunk >= first && !record.decisions.has(chunk); looked++) chunk -= 1;
  const threshold = record.decisions.columns.of.threshold[chunk];
  if (threshold === undefined || Number.isNaN(threshold)) return;
  context.fillStyle = palette.muted;
  context.font = `10px ${palette.font}`;
  context.textAlign = "right";
  context.textBaseline = "bottom";
  const score = scoreAt(record, chunk);
  const figure = score ? String(score.threshold) : threshold.toFixed(2);
  context.fillText(figure, axis.left + axis.width - 3, yOf(frame, threshold) - 1);
}

function scoreAt({ decisions }: LaneFrame["record"], chunk: number): PolicyScore | null {
  const decision = decisions.get(chunk);
  return (decision && policyOf(decision)?.score) ?? null;
}

function drawTrace(frame: LaneFrame, peaks: readonly Peak[]): void {
  const { context, record, axis, palette } = frame;
  const middle = ({ x, width }: Peak) => x + width / 2;
  context.strokeStyle = palette.accent;
  context.fillStyle = palette.accent;
  context.lineWidth = 1.5;
  // Miter joins take most of the drawing time if points are two pixels apart.
  context.lineJoin = chunkWidth(axis) < SMALLEST_DOTS_PX ? "bevel" : "round";
  context.beginPath();
  let before: Peak | undefined;
  for (const peak of peaks) {
    if (joined(before, peak)) context.lineTo(middle(peak), yOf(frame, peak.p));
    else context.moveTo(middle(peak), yOf(frame, peak.p));
    before = peak;
  }
  context.stroke();
  const step = chunkWidth(axis);
  if (step < SMALLEST_DOTS_PX) return;
  context.beginPath();
  for (const peak of peaks) {
    const spoke = record.decisions.choiceCode(peak.chunk) === CHOICE_CODES.TEXT_BEGIN;
    const [x, y] = [middle(peak), yOf(frame, peak.p)];
    const radius = spoke ? 3.5 : Math.min(2, step / 6);
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 2 * Math.PI);
  }
  context.fill();
}
