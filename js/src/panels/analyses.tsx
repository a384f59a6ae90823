/** Controls of the analyses that run the model again: the onset curve, and the raster of seeds. */

import { useSignal } from "@preact/signals";
import { type AnalysisKind, MAX_SEEDS } from "../channel/messages";
import { isSilent } from "../record/onset";
import { changedSettings } from "../record/what-if";
import type { View } from "../view";
import { settingsText } from "./run-on";
import { SmallButton } from "./small-button";

/** Seeds of a raster at first. */
const SEEDS = 20;

export function Analyses({ view }: { view: View }) {
  const { store, channel, onsetHere, whatIf, closed } = view;
  void store.version.value;
  const count = useSignal(SEEDS);
  const { decisions } = store.record;
  const { analysing } = channel;
  const usable = analysing !== null && !store.saved.value && store.line.value !== "lost";
  const silent = isSilent(decisions);
  const settings = changedSettings(decisions.rule(decisions.length - 1), whatIf.value);
  const open = (what: AnalysisKind) => {
    closed.value = closed.value.filter((other) => other !== what);
  };
  const begin = (what: AnalysisKind) => {
    open(what);
    analysing?.start(what, settings, count.value);
  };
  const told = settingsText(settings);
  if (!usable && !silent) {
    return (
      <p class="aiw-hint" data-testid="analyses-none">
        An onset curve and a raster of seeds need the model in a notebook's kernel. An exported page has them
        if they were computed before.
      </p>
    );
  }
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would bring its own looks
    <div class="aiw-run-on" role="group" aria-label="Analyses" data-testid="analyses">
      <span class="aiw-key">when does a reply come{told && ` with ${told}`}</span>
      <span class="aiw-run-on-buttons">
        <SmallButton
          data-testid="onset-start"
          title={
            silent
              ? "Probability of the first reply after each chunk, from the recorded numbers"
              : "Run the audio again, silenced, and show the probability of the first reply after each chunk"
          }
          onClick={() => {
            onsetHere.value = silent;
            if (silent) open("onset");
            else begin("onset");
          }}
        >
          onset curve
        </SmallButton>
        {usable && (
          <>
            <SmallButton
              data-testid="seeds-start"
              title="Run the audio once per seed, and show when each of them replies"
              onClick={() => begin("seeds")}
            >
              raster of seeds
            </SmallButton>
            <input
              class="aiw-entry"
              type="number"
              min={1}
              max={MAX_SEEDS}
              aria-label="Number of seeds"
              data-testid="seeds-count"
              value={count.value}
              onChange={({ currentTarget }) => {
                const given = Math.round(currentTarget.valueAsNumber) || SEEDS;
                count.value = Math.min(MAX_SEEDS, Math.max(1, given));
                currentTarget.value = String(count.value);
              }}
            />
          </>
        )}
      </span>
      <Progress view={view} what="onset" />
      <Progress view={view} what="seeds" />
    </div>
  );
}

function Progress({ view, what }: { view: View; what: AnalysisKind }) {
  const told = view.store.analyses.value[what];
  if (!told || told.state === "done") return null;
  const name = what === "onset" ? "Onset curve" : "Raster of seeds";
  return (
    <span class="aiw-run-on-here" data-testid={`${what}-told`} data-state={told.state}>
      {told.state === "running" ? (
        <>
          <progress
            class="aiw-playing-bar"
            aria-label={name}
            max={Math.max(1, told.total)}
            value={told.done}
          />
          <span>
            {name}: {told.done} of {told.total} chunks
          </span>
          <SmallButton data-testid={`${what}-cancel`} onClick={() => view.channel.analysing?.cancel(what)}>
            cancel
          </SmallButton>
        </>
      ) : (
        <span role="status">
          {name}: {told.message}
        </span>
      )}
    </span>
  );
}
