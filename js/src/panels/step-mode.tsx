/** Step mode: each press runs one phase of the loop, shown in the protocol's diagram; the learner may guess first. */

import { effect } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { claim, isCommand } from "../host/claim";
import { CHUNK_SECONDS } from "../record/events";
import { policyOf } from "../record/policy";
import { chunkCount, chunkStart, turnOf } from "../record/record";
import { framesOf } from "../record/vocabulary";
import { isPlaying } from "../store/playing";
import { isPolicy } from "../store/policy";
import { probability } from "../text/exact";
import { isolated } from "../text/graphemes";
import type { SessionView } from "../view";
import { BarButton } from "./bar-button";
import { Predictor } from "./predictor";
import { SmallButton } from "./small-button";
import { StepDiagram } from "./step-diagram";
import { StepState } from "./step-state";
import { passageOf } from "./step-walk";

export function StepMode({ view }: { view: SessionView }) {
  const steps = useMemo(() => new StepState(view), [view]);
  const mark = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => () => steps.end(), [steps]);
  useLayoutEffect(() => {
    const root = mark.current?.closest<HTMLElement>(".aiw") ?? mark.current?.parentElement;
    if (!root) return;
    const keyDown = (event: KeyboardEvent) => pressStepKey(event, steps, view);
    root.addEventListener("keydown", keyDown);
    return () => root.removeEventListener("keydown", keyDown);
  }, [steps, view]);
  return (
    <>
      <span ref={mark} hidden />
      {view.stepping.value ? (
        <StepCard steps={steps} view={view} />
      ) : (
        view.name.value === "teach" && <StepStart steps={steps} view={view} />
      )}
    </>
  );
}

/** Handle N for the next phase, and 1 and 2 for the two guesses, anywhere in the widget except in a field. */
function pressStepKey(event: KeyboardEvent, steps: StepState, view: SessionView): void {
  if (!view.stepping.value || isCommand(event) || event.repeat) return;
  if (event.target instanceof Element && event.target.closest("input, select, textarea")) return;
  const guessing = steps.predicting.value;
  if (event.key.toLowerCase() === "n") steps.advance();
  else if (event.key === "1" && guessing) steps.guess(null);
  else if (event.key === "2" && guessing) steps.guess(0);
  else return;
  claim(event);
}

/** Render the closed step mode of the teach view. It pauses the loop only on request: Python may be feeding it. */
function StepStart({ steps, view }: { steps: StepState; view: SessionView }) {
  void view.store.version.value;
  const heard = chunkCount(view.store.record) > 0;
  // Without more audio, the kernel's loop has nothing to step through.
  const arriving = view.channel.running || isPlaying(view.store.file.value) || view.store.waiting.value > 0;
  return (
    <section class="aiw-card aiw-step" aria-label="Step mode" data-testid="step-start">
      <h3 class="aiw-heading">
        Step mode <small>perceive, decide, respond: one phase a press</small>
      </h3>
      <p class="aiw-hint">
        {heard
          ? "Guess before each decision, then see what the model did."
          : "The loop pauses, and each chunk of what you record or play is stepped through. Guess first, then see."}
      </p>
      <BarButton
        name="step-begin"
        look="aiw-step-next"
        title="Pause the loop and run it phase by phase; guess before each decision"
        disabled={!heard && !steps.connected}
        press={() => {
          steps.predict(true);
          view.stepping.value = true;
          if (heard && !arriving) steps.use("replay");
        }}
      >
        Predict, then step
      </BarButton>
    </section>
  );
}

function StepCard({ steps, view }: { steps: StepState; view: SessionView }) {
  const { record } = view.store;
  void view.store.version.value;
  const { cursor, source, predicting } = steps;
  const { phase } = cursor.value;
  const next = useRef<HTMLButtonElement>(null);
  // Opening step mode focuses its button; closing it returns the focus to the element that had it.
  useLayoutEffect(() => {
    const before = document.activeElement;
    next.current?.focus({ preventScroll: true });
    return () => {
      if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    };
  }, []);
  useLayoutEffect(
    () =>
      effect(() => {
        // The kernel may be lost while the view is in step mode.
        if (source.value === "kernel" && view.store.saved.value) steps.use("replay");
      }),
    [],
  );
  const now = nowText(view, steps);
  const hidden = phase === "decide" && cursor.value.chunk >= view.hiddenFrom.value.decision;
  return (
    <section class="aiw-card aiw-step" aria-label="Step mode" data-testid="step" data-phase={phase}>
      <header class="aiw-inspector-head">
        <h3 class="aiw-heading">
          Step mode{" "}
          <small>{source.value === "kernel" ? "the loop is paused" : "a replay of what was heard"}</small>
        </h3>
        <span class="aiw-inspector-tools">
          <SourceButton
            steps={steps}
            source="kernel"
            word={view.store.runsIn === "kernel" ? "kernel" : "loop"}
            title={`Step the ${view.store.runsIn}'s loop`}
            disabled={!steps.connected}
          />
          <SourceButton
            steps={steps}
            source="replay"
            word="replay"
            title="Replay what was heard, from the selected chunk; the loop keeps running"
          />
          <label class="aiw-check">
            <input
              type="checkbox"
              data-testid="predict"
              checked={predicting.value}
              onChange={(event) => steps.predict(event.currentTarget.checked)}
            />
            predict first
          </label>
          <SmallButton
            aria-label="Leave step mode"
            title="Leave step mode; the loop continues"
            onClick={() => {
              view.stepping.value = false;
            }}
          >
            ×
          </SmallButton>
        </span>
      </header>
      <div class="aiw-step-body">
        <StepDiagram
          phase={phase}
          passage={hidden ? null : passageOf(cursor.value, record)}
          now={now}
          vocabulary={view.store.vocabulary.value}
          policy={isPolicy(view.store)}
        />
        <div class="aiw-step-side">
          <p class="aiw-step-now" role="status" data-testid="step-now">
            {now}
          </p>
          {predicting.value && <Predictor steps={steps} />}
          <button
            ref={next}
            type="button"
            class="aiw-button aiw-step-next"
            data-testid="step-next"
            aria-keyshortcuts="N"
            aria-disabled={steps.hindered.value !== ""}
            onClick={() => steps.advance()}
          >
            Next: {nextText(steps)} <kbd>N</kbd>
          </button>
          <p class="aiw-hint" data-testid="step-hint">
            {steps.hindered.value}
          </p>
        </div>
      </div>
    </section>
  );
}

interface SourceProps {
  steps: StepState;
  source: "kernel" | "replay";
  word: string;
  title: string;
  disabled?: boolean;
}

function SourceButton({ steps, source, word, title, disabled = false }: SourceProps) {
  return (
    <SmallButton
      data-testid={`step-${source}`}
      title={title}
      disabled={disabled}
      aria-pressed={steps.source.value === source}
      onClick={() => steps.use(source)}
    >
      {word}
    </SmallButton>
  );
}

function nextText({ next }: StepState): string {
  return next.phase === "perceive" ? `perceive chunk ${next.chunk}` : next.phase;
}

/** Describe the phase that was run last. */
function nowText(view: SessionView, { cursor, source }: StepState): string {
  const { record } = view.store;
  const { chunk, phase } = cursor.value;
  const hidden = view.hiddenFrom.value;
  const start = chunkStart(record, chunk);
  const name = `Chunk ${chunk}`;
  if (phase === "") {
    return source.value === "kernel"
      ? `The loop is paused before chunk ${chunk}: each press does one phase.`
      : `The replay begins at chunk ${chunk}: each press shows one phase.`;
  }
  if (phase === "perceive") {
    const level = record.chunks.get(chunk);
    const loud = level ? ` (level ${level.rms_db.toFixed(0)} dB)` : "";
    const end = (start + CHUNK_SECONDS).toFixed(1);
    const frames = framesOf(view.store.vocabulary.value);
    if (isPolicy(view.store)) return `${name}, perceived: ${start.toFixed(1)}–${end} s of audio${loud}.`;
    const became = frames ? `${frames.count} encoder frames` : "encoder frames";
    return `${name}, perceived: ${start.toFixed(1)}–${end} s of audio${loud} became ${became}.`;
  }
  const decision = chunk < hidden.decision ? record.decisions.get(chunk) : undefined;
  if (!decision) return `${name}: deciding.`;
  const policy = policyOf(decision);
  if (phase === "decide" && policy) {
    return `${name}, decided by the rule of ${policy.name}: ${decision.choice}.`;
  }
  const p = probability(decision.p_text);
  if (phase === "decide") return `${name}, decided: ${decision.choice}; p(TEXT_BEGIN) was ${p}.`;
  const turn = chunk < hidden.reply ? turnOf(record, chunk) : undefined;
  return `${name}, responding: ${turn ? `“${isolated(turn.text)}”${turn.ended === null ? " …" : ""}` : "…"}`;
}
