/** Buttons that start a branch at a chunk or a selected span, and the decisions of the branches there. */

import { useSignal } from "@preact/signals";
import type { ForkRequest } from "../channel/channel";
import { changedSettings } from "../record/what-if";
import { isPolicy } from "../store/policy";
import { CHOICE_WORDS } from "../store/readout";
import type { View } from "../view";
import { OtherAudio, OtherPrompt } from "./run-on-other";
import { SmallButton } from "./small-button";

interface Props {
  view: View;
  chunk: number;
  /** Number of chunks of the selected span; without it the buttons are those of one chunk. */
  span?: number;
}

/** Render the buttons; nothing without a kernel. */
export function RunOn({ view, chunk, span }: Props) {
  const { store, channel } = view;
  const { branching } = channel;
  const more = useSignal(false);
  void [store.version.value, store.branchVersion.value];
  if (!branching || store.saved.value || isPolicy(store)) return null;
  const { refusal } = store.recording.value ?? { refusal: null };
  if (refusal !== null) {
    return refusal && span === undefined ? (
      <p class="aiw-run-on-refused" data-testid="run-on-refused">
        {refusal}
      </p>
    ) : null;
  }
  const lost = store.line.value === "lost";
  const settings = changedSettings(store.record.decisions.rule(chunk), view.whatIf.value);
  const told = settingsText(settings);
  const length = span ?? 1;
  const here = span === undefined ? "here" : "in these chunks";
  const id = span === undefined ? "run-on" : "span";
  const ways: readonly [string, string, string, Omit<ForkRequest, "chunk">][] = [
    ["speak", "speak", `speaks ${here}: TEXT_BEGIN is forced`, { force: "TEXT_BEGIN" }],
    ["silent", "keep silent", `is silent ${here}: KEEP_SILENCE is forced`, { force: "KEEP_SILENCE" }],
    [
      "mute",
      length > 1 ? "mute these chunks" : "mute this chunk",
      `hears silence ${here}`,
      { audio: "mute" },
    ],
    [
      "what-if",
      told ? `with ${told}` : "with what-if values",
      `has the values of the what-if panel from here on${told ? "" : "; move one of its sliders first"}`,
      { settings },
    ],
  ];
  const fork = (request: Omit<ForkRequest, "chunk">) => branching.fork({ chunk, span: length, ...request });
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would bring its own looks
    <div class="aiw-run-on" role="group" aria-label={`Run on from chunk ${chunk}`} data-testid={id}>
      <span class="aiw-key">{span === undefined ? "run on from here" : namesOf(chunk, length)}</span>
      <span class="aiw-run-on-buttons">
        {ways.map(([name, words, does, request]) => (
          <SmallButton
            key={name}
            data-testid={`${id}-${name}`}
            disabled={lost || (name === "what-if" && !told)}
            title={`A branch that ${does}`}
            onClick={() => fork(request)}
          >
            {words}
          </SmallButton>
        ))}
        <SmallButton
          data-testid={`${id}-more`}
          aria-expanded={more.value}
          title="Other audio, or another prompt"
          onClick={() => {
            more.value = !more.value;
          }}
        >
          other audio or prompt {more.value ? "▴" : "▾"}
        </SmallButton>
      </span>
      {more.value && (
        <>
          <OtherAudio {...{ view, id, chunk, span: length, lost, fork }} />
          <OtherPrompt
            {...{ view, id, lost }}
            fork={(prompt) => branching.fork({ chunk: 0, settings: prompt })}
          />
        </>
      )}
      {span === undefined && <Here view={view} chunk={chunk} />}
    </div>
  );
}

/** Render what the branches decided at a chunk. */
function Here({ view, chunk }: { view: View; chunk: number }) {
  const { store } = view;
  void store.branchVersion.value;
  const here = store.branches.value.flatMap(({ told: { branch }, record }) => {
    const choice = record.decisions.choiceOf(chunk);
    return choice ? [{ branch, choice, p: record.decisions.columns.of.p_text[chunk] as number }] : [];
  });
  if (here.length === 0) return null;
  return (
    <span class="aiw-run-on-here" data-testid="run-on-here">
      {here.map(({ branch, choice, p }) => (
        <span key={branch}>
          branch {branch}: {CHOICE_WORDS[choice]} <small>p(TEXT) {p.toFixed(2)}</small>
        </span>
      ))}
    </span>
  );
}

/** Name the chunks of a span. */
function namesOf(chunk: number, span: number): string {
  return span > 1 ? `chunks ${chunk} to ${chunk + span - 1}` : `chunk ${chunk}`;
}

/** Format settings: `bias 0.5, greedy true`. */
export function settingsText(settings: Readonly<Record<string, unknown>>): string {
  const rounded = (value: unknown) => (typeof value === "number" ? Math.round(value * 1000) / 1000 : value);
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${rounded(value)}`)
    .join(", ");
}
