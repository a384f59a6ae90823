/** What-if panel: sliders for another rule on the recorded logits, and the decisions that change. No model is run. */

import { useComputed, useSignal } from "@preact/signals";
import type { Rule } from "../record/events";
import { type Flip, isChange, NO_CHANGE, type WhatIf } from "../record/what-if";
import { CHOICE_WORDS } from "../store/readout";
import type { View } from "../view";
import { Analyses } from "./analyses";
import { SmallButton } from "./small-button";
import { clock } from "./turn-item";
import { Walk } from "./walk";

interface Slider {
  name: "threshold" | "bias" | "temperature";
  label: string;
  help: string;
  min: number;
  max: number;
  step: number;
  /** Position of the slider for the recorded value, and this value in words. */
  recorded: (rule: Partial<Rule>) => readonly [value: number, words: string];
}

const SLIDERS: readonly Slider[] = [
  {
    name: "threshold",
    label: "Threshold",
    help: "Speak where p(TEXT_BEGIN) of the two decision tokens is above this, in place of the draw",
    ...{ min: 0.01, max: 0.99, step: 0.01 },
    recorded: ({ greedy }) => [0.5, greedy ? "likelier token" : "random draw"],
  },
  {
    name: "bias",
    label: "Bias",
    help: "Added to the logit of TEXT_BEGIN: above 0 speaks more",
    ...{ min: -8, max: 8, step: 0.1 },
    recorded: ({ bias = 0 }) => [bias, bias.toFixed(1)],
  },
  {
    name: "temperature",
    label: "Temperature",
    help: "Divides both logits: below 1 sharper, above 1 closer to chance",
    ...{ min: 0.05, max: 3, step: 0.05 },
    recorded: ({ temperature = 1, greedy }) => [temperature, greedy ? "greedy" : temperature.toFixed(2)],
  },
];

export function WhatIfPanel({ view }: { view: View }) {
  const { store } = view;
  const open = useSignal(false);
  void store.version.value;
  const { decisions } = store.record;
  // A policy has no logits; a record of version 1 has no rule.
  if (decisions.rule(decisions.length - 1).greedy === undefined) return null;
  return (
    <details
      class="aiw-card aiw-what-if"
      data-testid="what-if"
      open={open.value}
      onToggle={(event) => {
        open.value = event.currentTarget.open;
        // A closed panel marks nothing in the timeline.
        if (!open.value) view.whatIf.value = NO_CHANGE;
      }}
    >
      <summary>
        <h3 class="aiw-heading">
          What if <small>decisions of another rule on the recorded logits</small>
        </h3>
      </summary>
      {open.value && <Body view={view} />}
    </details>
  );
}

function Body({ view }: { view: View }) {
  const { store, whatIf } = view;
  void store.version.value;
  const rule = store.record.decisions.rule(view.selected.value ?? store.record.decisions.length - 1);
  const set = (changes: Partial<WhatIf>) => {
    whatIf.value = { ...whatIf.value, ...changes };
  };
  return (
    <>
      <div class="aiw-what-if-fields">
        {SLIDERS.map((slider) => (
          <SliderField key={slider.name} {...{ view, slider, rule, set }} />
        ))}
        <label class="aiw-what-if-field" title="Whether only the two decision tokens may be drawn">
          <span>Mask</span>
          <select
            class="aiw-select"
            data-testid="what-if-mask"
            value={String(whatIf.value.mask)}
            onChange={({ currentTarget }) =>
              set({ mask: { true: true, false: false }[currentTarget.value] ?? null })
            }
          >
            <option value="null">as recorded ({rule.mask === false ? "off" : "on"})</option>
            <option value="true">on</option>
            <option value="false">off</option>
          </select>
        </label>
      </div>
      <Result view={view} />
      <Analyses view={view} />
    </>
  );
}

interface SliderProps {
  view: View;
  slider: Slider;
  rule: Partial<Rule>;
  set: (changes: Partial<WhatIf>) => void;
}

function SliderField({ view, slider, rule, set }: SliderProps) {
  const { name, label, help, min, max, step } = slider;
  const chosen = view.whatIf.value[name];
  const [recorded, words] = slider.recorded(rule);
  const said = chosen === null ? `as recorded (${words})` : chosen.toFixed(step < 0.1 ? 2 : 1);
  const id = `${view.id}-what-if-${name}`;
  return (
    <div class="aiw-what-if-field" title={help}>
      <label for={id}>{label}</label>
      <input
        id={id}
        type="range"
        data-testid={`what-if-${name}`}
        {...{ min, max, step }}
        value={chosen ?? recorded}
        aria-valuetext={said}
        onInput={({ currentTarget }) => set({ [name]: currentTarget.valueAsNumber })}
      />
      <output for={id} data-recorded={chosen === null}>
        {said}
      </output>
      {chosen !== null && (
        <SmallButton label={`${label} as recorded`} onClick={() => set({ [name]: null })}>
          ×
        </SmallButton>
      )}
    </div>
  );
}

function Result({ view }: { view: View }) {
  const { store, whatIf, flips } = view;
  const count = useComputed(() => {
    void store.version.value;
    return store.record.decided;
  });
  const result = flips.value;
  if (!isChange(whatIf.value) || !result) {
    return <p class="aiw-hint">Move a slider: the timeline marks each decision that would be different.</p>;
  }
  const { changed, unknown, exactUntil, exactToEnd } = result;
  return (
    <div
      class="aiw-what-if-result"
      data-testid="what-if-result"
      data-flips={changed.length}
      data-first={changed[0]?.chunk ?? ""}
      data-exact-until={exactUntil ?? ""}
    >
      <p role="status">
        <strong>
          {changed.length} of {count.value} decisions would be different.
        </strong>{" "}
        {changed[0] && firstText(view, changed[0])} {exactText(exactUntil, exactToEnd)}
        {unknown.length > 0 && ` ${unknown.length} cannot be computed from the record.`}
      </p>
      {changed.length > 0 && <Walk view={view} name="what-if" chunks={changed.map(({ chunk }) => chunk)} />}
    </div>
  );
}

function firstText({ store }: View, { chunk, choice }: Flip): string {
  const before = store.record.decisions.choiceOf(chunk);
  return `The first is chunk ${chunk} (${clock(chunk * 0.4)}): ${before ? CHOICE_WORDS[before] : ""} → ${CHOICE_WORDS[choice]}.`;
}

function exactText(exactUntil: number | null, exactToEnd: boolean): string {
  if (exactToEnd) return "This is exact to the end of the record.";
  if (exactUntil === null) return "All of this is an estimate.";
  return `This is exact up to and including chunk ${exactUntil}; hatched: estimates, since the context would differ.`;
}
