/** Run on from a chunk with something changed: a branch. And what the branches decided there. */

import { changedSettings, isChange } from "../record/what-if";
import { isPolicy } from "../store/policy";
import { CHOICE_WORDS } from "../store/readout";
import type { View } from "../view";
import { SmallButton } from "./small-button";

/** Nothing where no kernel could run it. */
export function RunOn({ view, chunk }: { view: View; chunk: number }) {
  const { store, channel } = view;
  const { branching } = channel;
  void [store.version.value, store.branchVersion.value];
  if (!branching || store.saved.value || isPolicy(store)) return null;
  const disabled = store.line.value === "lost";
  const settings = changedSettings(store.record.decisions.rule(chunk), view.whatIf.value);
  const told = Object.entries(settings).map(([name, value]) => `${name} ${valueText(value)}`);
  const here = store.branches.value.flatMap(({ told: { branch }, record }) => {
    const choice = record.decisions.choiceOf(chunk);
    return choice ? [{ branch, choice, p: record.decisions.columns.of.p_text[chunk] as number }] : [];
  });
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would bring its own looks
    <div class="aiw-run-on" role="group" aria-label={`Run on from chunk ${chunk}`} data-testid="run-on">
      <span class="aiw-key">run on from here</span>
      <span class="aiw-run-on-buttons">
        <SmallButton
          data-testid="run-on-speak"
          disabled={disabled}
          title="A branch that speaks here: TEXT_BEGIN is forced"
          onClick={() => branching.fork({ chunk, force: "TEXT_BEGIN" })}
        >
          speak
        </SmallButton>
        <SmallButton
          data-testid="run-on-silent"
          disabled={disabled}
          title="A branch that is silent here: KEEP_SILENCE is forced"
          onClick={() => branching.fork({ chunk, force: "KEEP_SILENCE" })}
        >
          keep silent
        </SmallButton>
        <SmallButton
          data-testid="run-on-mute"
          disabled={disabled}
          title="A branch that hears silence in place of this chunk"
          onClick={() => branching.fork({ chunk, mute: true })}
        >
          mute this chunk
        </SmallButton>
        <SmallButton
          data-testid="run-on-what-if"
          disabled={disabled || !isChange(view.whatIf.value)}
          title={
            told.length > 0
              ? `A branch with ${told.join(", ")} from here on`
              : "Move a slider of the what-if panel first: the branch has its values from here on"
          }
          onClick={() => branching.fork({ chunk, settings })}
        >
          {told.length > 0 ? `with ${told.join(", ")}` : "with what-if values"}
        </SmallButton>
      </span>
      {here.length > 0 && (
        <span class="aiw-run-on-here" data-testid="run-on-here">
          {here.map(({ branch, choice, p }) => (
            <span key={branch}>
              branch {branch}: {CHOICE_WORDS[choice]} <small>p(TEXT) {p.toFixed(2)}</small>
            </span>
          ))}
        </span>
      )}
    </div>
  );
}

export function valueText(value: unknown): string {
  return typeof value === "number" ? String(Math.round(value * 1000) / 1000) : String(value);
}
