/** The protocol as a state diagram: three states, the tokens that lead from one to the next, and where the loop is. */
import type { Passage, Phase } from "./step-walk";

const STATES = [
  { phase: "perceive", x: 8, lines: ["0.4 s of audio", "→ ten frames"] },
  { phase: "decide", x: 152, lines: ["AUDIO_BEGIN", "PAD×10 ASSISTANT"] },
  { phase: "respond", x: 312, lines: ["[EMOTION]", "text…"] },
] as const;
const WIDTH = 112;
const TOP = 52;
const HEIGHT = 58;

const WAYS: { passage: Passage | "frames" | "token"; path: string; label: string; x: number; y: number }[] = [
  { passage: "frames", path: "M120 81H148", label: "", x: 0, y: 0 },
  { passage: "KEEP_SILENCE", path: "M196 52C186 18 84 18 72 48", label: "KEEP_SILENCE", x: 134, y: 20 },
  { passage: "TEXT_BEGIN", path: "M264 81H308", label: "TEXT_BEGIN", x: 286, y: 46 },
  { passage: "token", path: "M346 52C340 24 396 24 392 48", label: "token", x: 368, y: 22 },
  { passage: "TEXT_END", path: "M368 110C350 148 84 148 66 114", label: "TEXT_END", x: 216, y: 152 },
];

interface Props {
  phase: Phase;
  passage: Passage;
  /** What happens now, in words. */
  now: string;
}

const DESCRIPTION =
  "State diagram: perceive leads to decide. From decide, KEEP_SILENCE leads back to perceive and TEXT_BEGIN to " +
  "respond. Respond draws token after token until TEXT_END, which leads back to perceive.";

export function StepDiagram({ phase, passage, now }: Props) {
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
      {WAYS.map(({ passage: way, path, label, x, y }) => {
        const lit = way === passage || (way === "token" && phase === "respond");
        return (
          <g key={way} class="aiw-way" data-lit={lit}>
            <path d={path} />
            <path d={arrowHead(path)} class="aiw-way-head" />
            {label && (
              <text x={x} y={y}>
                {label}
              </text>
            )}
          </g>
        );
      })}
      {STATES.map(({ phase: name, x, lines }) => (
        <g key={name} class="aiw-state" data-state={name} data-lit={name === phase}>
          <rect x={x} y={TOP} width={WIDTH} height={HEIGHT} rx="9" />
          <text x={x + WIDTH / 2} y={TOP + 19} class="aiw-state-name">
            {name === phase ? `▸ ${name}` : name}
          </text>
          {lines.map((line, i) => (
            <text key={line} x={x + WIDTH / 2} y={TOP + 35 + 13 * i} class="aiw-state-line">
              {line}
            </text>
          ))}
        </g>
      ))}
    </svg>
  );
}

/** A small triangle at the path's end, along its last stretch. */
function arrowHead(path: string): string {
  const numbers = [...path.matchAll(/-?\d+/g)].map(Number);
  const [x, y] = path.includes("H")
    ? [numbers.at(-1) ?? 0, numbers[1] ?? 0]
    : [numbers.at(-2) ?? 0, numbers.at(-1) ?? 0];
  const [fromX, fromY] = path.includes("H") ? [x - 1, y] : [numbers.at(-4) ?? 0, numbers.at(-3) ?? 0];
  const angle = Math.atan2(y - fromY, x - fromX);
  const corner = (turn: number) =>
    `${(x - 8 * Math.cos(angle + turn)).toFixed(1)} ${(y - 8 * Math.sin(angle + turn)).toFixed(1)}`;
  const tip = `${(x + 3 * Math.cos(angle)).toFixed(1)} ${(y + 3 * Math.sin(angle)).toFixed(1)}`;
  return `M${tip}L${corner(0.45)}L${corner(-0.45)}Z`;
}
