/** Buttons that start a branch at a chunk, and the decisions of the branches there. */

import type { ForkRequest } from "../channel/channel";
import { changedSettings } from "../record/what-if";
import { isPolicy } from "../store/policy";
import { CHOICE_WORDS } from "../store/readout";
import type { View } from "../view";
import { SmallButton } from "./small-button";

/** Render the buttons; nothing without a kernel. */
export function RunOn({ view, chunk }: { view: View; chunk: number }) {
  const { store, channel } = view;
  const { branching } = channel;
  void [store.version.value, store.branchVersion.value];
  if (!branching || store.saved.value || store.recording.value || isPolicy(store)) return null;
  const lost = store.line.value === "lost";
  const settings = changedSettings(store.record.decisions.rule(chunk), view.whatIf.value);
  const told = settingsText(settings);
  const ways: readonly [string, string, string, ForkRequest][] = [
    ["speak", "speak", "speaks here: TEXT_BEGIN is forced", { chunk, force: "TEXT_BEGIN" }],
    ["silent", "keep silent", "is silent here: KEEP_SILENCE is forced", { chunk, force: "KEEP_SILENCE" }],
    ["mute", "mute this chunk", "hears silence in place of this chunk", { chunk, mute: true }],
    [
      "what-if",
      told ? `with ${told}` : "with what-if values",
      `has the values of the what-if panel from here on${told ? "" : "; move one of its sliders first"}`,
      { chunk, settings },
    ],
  ];
  const here = store.branches.value.flatMap(({ told: { branch }, record }) => {
    const choice = record.decisions.choiceOf(chunk);
    return choice ? [{ branch, choice, p: record.decisions.columns.of.p_text[chunk] as number }] : [];
  });
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would bring its own looks
    <div class="aiw-run-on" role="group" aria-label={`Run on from chunk ${chunk}`} data-testid="run-on">
      <span class="aiw-key">run on from here</span>
      <span class="aiw-run-on-buttons">
        {ways.map(([name, words, does, request]) => (
          <SmallButton
            key={name}
            data-testid={`run-on-${name}`}
            disabled={lost || (name === "what-if" && !told)}
            title={`A branch that ${does}`}
            onClick={() => branching.fork(request)}
          >
            {words}
          </SmallButton>
        ))}
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

/** Format settings: `bias 0.5, greedy true`. */
export function settingsText(settings: Readonly<Record<string, unknown>>): string {
  const rounded = (value: unknown) => (typeof value === "number" ? Math.round(value * 1000) / 1000 : value);
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${rounded(value)}`)
    .join(", ");
}
