/** The learner's guess before a decision is shown, and the score. */
import { useSignal } from "@preact/signals";
import { CHUNK_SECONDS } from "../record/events";
import { decimals } from "../text/exact";
import { isGuessed, meanOff, type Reveal, type Score } from "./predict";
import { SmallButton } from "./small-button";
import type { StepState } from "./step-state";

/** Choices for the number of chunks until the model speaks. */
const AHEAD = [1, 2, 3, 4, 5, 6, 8, 10, 15];

export function Predictor({ steps }: { steps: StepState }) {
  const game = steps.game.value;
  const ahead = useSignal(2);
  const made = isGuessed(game) ? game.guess : null;
  const later = made?.from !== undefined && made?.from !== null && made.from > game.next;
  return (
    <fieldset class="aiw-predict" data-testid="predictor" data-due={steps.guessDue}>
      <legend>What will the model do after chunk {game.next}?</legend>
      <SmallButton
        aria-keyshortcuts="1"
        aria-pressed={made !== null && made.from === null}
        onClick={() => steps.guess(null)}
      >
        keep silent <kbd>1</kbd>
      </SmallButton>
      <SmallButton
        aria-keyshortcuts="2"
        aria-pressed={made !== null && made.from === game.next}
        onClick={() => steps.guess(0)}
      >
        speak now <kbd>2</kbd>
      </SmallButton>
      <span class="aiw-predict-later">
        <SmallButton aria-pressed={later} onClick={() => steps.guess(ahead.value)}>
          speak from chunk {later ? made?.from : game.next + ahead.value}
        </SmallButton>
        <select
          class="aiw-select"
          aria-label="Chunks until the model speaks"
          value={String(ahead.value)}
          onChange={(event) => {
            ahead.value = Number(event.currentTarget.value);
            steps.guess(ahead.value);
          }}
        >
          {AHEAD.map((chunks) => (
            <option key={chunks} value={String(chunks)}>
              {`+${chunks} (${decimals(chunks * CHUNK_SECONDS, 1)} s)`}
            </option>
          ))}
        </select>
      </span>
      <p class="aiw-predict-last" role="status" data-testid="reveal">
        {game.last ? revealText(game.last) : ""}
      </p>
      <ScoreLine score={game.score} onForget={() => steps.forgetScore()} />
    </fieldset>
  );
}

const WORDS: Record<Reveal["outcome"], string> = {
  hit: "✓ Hit: it spoke, as you said",
  miss: "✗ Missed: it spoke",
  "false alarm": "✗ False alarm: it kept silent",
  silence: "✓ Right: it kept silent",
};

function revealText({ chunk, outcome, off }: Reveal): string {
  const distance = off === null || off === 0 ? "" : `; your guess was ${offText(off)}`;
  return `Chunk ${chunk}. ${WORDS[outcome]}${distance}.`;
}

function offText(off: number): string {
  const chunks = Math.abs(off);
  const seconds = decimals(chunks * CHUNK_SECONDS, 1);
  return `${chunks} ${chunks === 1 ? "chunk" : "chunks"} (${seconds} s) too ${off < 0 ? "early" : "late"}`;
}

function ScoreLine({ score, onForget }: { score: Score; onForget: () => void }) {
  const { hits, misses, falseAlarms, silences } = score;
  const off = meanOff(score);
  if (hits + misses + falseAlarms + silences === 0) {
    return <p class="aiw-hint">Your score appears here after the first reveal.</p>;
  }
  const counts: [string, string | number][] = [
    ["hits", hits],
    ["misses", misses],
    ["false alarms", falseAlarms],
    ["right silences", silences],
    ["mean off", off === null ? "–" : `${decimals(off, 1)} chunks`],
  ];
  return (
    <div class="aiw-score" data-testid="score">
      {counts.map(([name, value]) => (
        <span key={name}>
          {name} <strong>{value}</strong>
        </span>
      ))}
      <SmallButton onClick={onForget}>forget</SmallButton>
    </div>
  );
}
