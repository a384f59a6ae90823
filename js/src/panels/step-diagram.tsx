/** The protocol as a state diagram: three states, the tokens of the transitions, and the current state. */
import { CHUNK_SECONDS } from "../record/events";
import type { Vocabulary } from "../record/vocabulary";
import { FRAMES, framesOf, nameOf } from "../record/vocabulary";
import type { Passage, Phase } from "./step-walk";

const STATES = [
  { phase: "perceive", x: 8 },
  { phase: "decide", x: 152 },
  { phase: "respond", x: 312 },
] as const;
/** Width of a state, and its top and height, in units of the drawing. */
const WIDTH = 112;
const TOP = 52;
const HEIGHT = 58;

/** Transitions: the line, the arrow head at its end, and the place of its label. */
const WAYS = [
  { passage: "frames", line: "M120 81H144", head: "M151 81l-11-4v8z", label: "", x: 0, y: 0 },
  {
    passage: "KEEP_SILENCE",
    line: "M196 52C186 18 84 18 72 46",
    head: "M70 52l8-8-8-3z",
    label: "KEEP_SILENCE",
    x: 134,
    y: 20,
  },
  {
    passage: "TEXT_BEGIN",
    line: "M264 81H304",
    head: "M311 81l-11-4v8z",
    label: "TEXT_BEGIN",
    x: 286,
    y: 46,
  },
  {
    passage: "token",
    line: "M346 52C340 24 396 24 392 46",
    head: "M391 52l6-9-8-1z",
    label: "token",
    x: 368,
    y: 22,
  },
  {
    passage: "TEXT_END",
    line: "M368 110C350 148 84 148 66 116",
    head: "M62 110l3 11 7-5z",
    label: "TEXT_END",
    x: 216,
    y: 152,
  },
] as const;

const POLICY_LINES: Record<Phase, readonly string[]> = {
  "": [],
  perceive: [`${CHUNK_SECONDS} s of audio`, "→ scores"],
  decide: ["scores", "→ rule"],
  respond: ["a fixed text"],
};

/** Describe inputs and outputs of each state, with the block of the loaded checkpoint. */
function linesOf(phase: Phase, vocabulary: Vocabulary, policy: boolean): readonly string[] {
  if (policy) return POLICY_LINES[phase];
  const frames = framesOf(vocabulary);
  if (phase === "perceive")
    return [`${CHUNK_SECONDS} s of audio`, frames ? `→ ${frames.count} frames` : "→ frames"];
  if (phase === "respond") return ["[EMOTION]", "text…"];
  const words = vocabulary.block.map(({ name, token, count }) => {
    const text = name === FRAMES ? (nameOf(vocabulary, token) ?? "frames") : name;
    return count > 1 ? `${text}×${count}` : text;
  });
  return [words[0] ?? "chunk’s block", words.slice(1).join(" ")];
}

interface Props {
  phase: Phase;
  vocabulary: Vocabulary;
  /** Whether a baseline policy decides, which has neither frames nor tokens. */
  policy: boolean;
  passage: Passage;
  /** Description of the current phase. */
  now: string;
}

const DESCRIPTION =
  "State diagram: perceive leads to decide. From decide, KEEP_SILENCE leads back to perceive and TEXT_BEGIN to " +
  "respond. Respond draws token after token until TEXT_END, which leads back to perceive.";

export function StepDiagram({ phase, passage, now, vocabulary, policy }: Props) {
  return (
    <svg
      class="aiw-diagram"
      viewBox="0 0 432 160"
      role="img"
      aria-label={`${DESCRIPTION} ${now}`}
      data-testid="diagram"
      data-phase={phase}
      data-passage={passage ?? ""}
    >
      {WAYS.map(({ passage: way, line, head, label, x, y }) => {
        const lit = way === passage || (way === "token" && phase === "respond");
        return (
          <g key={way} class="aiw-way" data-lit={lit}>
            <path d={line} />
            <path d={head} class="aiw-way-head" />
            {label && (
              <text x={x} y={y}>
                {label}
              </text>
            )}
          </g>
        );
      })}
      {STATES.map(({ phase: name, x }) => (
        <g key={name} class="aiw-state" data-state={name} data-lit={name === phase}>
          <rect x={x} y={TOP} width={WIDTH} height={HEIGHT} rx="9" />
          <text x={x + WIDTH / 2} y={TOP + 19} class="aiw-state-name">
            {name === phase ? `▸ ${name}` : name}
          </text>
          {linesOf(name, vocabulary, policy).map((line, i) => (
            <text key={line} x={x + WIDTH / 2} y={TOP + 35 + 13 * i} class="aiw-state-line">
              {line}
            </text>
          ))}
        </g>
      ))}
    </svg>
  );
}
