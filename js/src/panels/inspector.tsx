/** Inspector of one chunk, or of one token of its reply: inputs, outputs, and all numbers in between. */
import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Decision, Token } from "../record/events";
import { policyOf } from "../record/policy";
import { chunkCount, type SessionRecord, type TurnRecord, turnOf } from "../record/record";
import { type HiddenFrom, isDecisionHidden, isReplyHidden } from "../store/hidden";
import { CHOICE_WORDS, readout } from "../store/readout";
import type { View } from "../view";
import { CopyButton } from "./copy-button";
import { eventsOf, pretty } from "./event-json";
import { LatencyRows, latencySummary } from "./latency-table";
import { PlayButtons } from "./play-buttons";
import { PolicyStep } from "./policy-step";
import { RunOn } from "./run-on";
import { SamplingTable } from "./sampling";
import { decisionSampling, tokenSampling } from "./sampling-steps";
import { SmallButton } from "./small-button";
import { CacheGauge, ProtocolStrip } from "./strip";

export function Inspector({ view }: { view: View }) {
  const { selected, hovered, store } = view;
  void store.version.value;
  const last = useRef<number | null>(null);
  // The selected chunk, else the one under the cursor, else the one shown last, else that of the newest reply.
  const known = (chunk: number | null) => chunk !== null && chunk < chunkCount(store.record);
  const pointed = [selected.value, hovered.value, last.current].find(known) ?? null;
  useLayoutEffect(() => {
    last.current = pointed;
  }, [pointed]);
  const chunk = pointed ?? newestReply(store.record, view.hiddenFrom.value);
  if (chunk === null) {
    return (
      <section class="aiw-card aiw-inspector" aria-label="Inspector" data-testid="inspector">
        <h3 class="aiw-heading">Inspector</h3>
        <p class="aiw-hint">
          Point at a chunk in the timeline to inspect its tokens and its decision. To keep a chunk here, click
          it, or move to it with the arrow keys and press Enter.
        </p>
      </section>
    );
  }
  return <ChunkCard view={view} chunk={chunk} />;
}

/** Return the chunk of the newest complete reply that is not hidden. */
function newestReply({ turns }: SessionRecord, hidden: HiddenFrom): number | null {
  for (let i = turns.length - 1; i >= 0; i--) {
    const turn = turns[i] as TurnRecord;
    if (turn.ended !== null && !isReplyHidden(hidden, turn)) return turn.chunk;
  }
  return null;
}

function ChunkCard({ view, chunk }: { view: View; chunk: number }) {
  const { selected, store, token } = view;
  const exact = useSignal(false);
  // A component that reads signals is rendered for changes of these only, even if its parent is rendered.
  void store.version.value;
  const { record } = store;
  const hidden = view.hiddenFrom.value;
  const { span } = readout(record, chunk, hidden);
  const decision = isDecisionHidden(hidden, chunk) ? undefined : record.decisions.get(chunk);
  const policy = decision ? policyOf(decision) : null;
  const found = turnOf(record, chunk);
  const turn = found && !isReplyHidden(hidden, found) ? found : undefined;
  const place = token.value;
  const picked = turn && place?.turn === turn.turn ? (turn.tokens[place.index] ?? null) : null;
  const pick = (index: number | null) => {
    token.value = index === null || !turn ? null : { turn: turn.turn, index };
    selected.value = chunk;
  };
  return (
    <section class="aiw-card aiw-inspector" aria-label="Inspector" data-testid="inspector" data-chunk={chunk}>
      <header class="aiw-inspector-head">
        <h3 class="aiw-heading">
          Chunk {chunk} <small>{span}</small>
          {decision && (
            <span class={`aiw-choice aiw-choice-${decision.choice}`}>{CHOICE_WORDS[decision.choice]}</span>
          )}
        </h3>
        <span class="aiw-inspector-tools">
          <PlayButtons view={view} chunk={chunk} />
          <SmallButton
            aria-pressed={exact.value}
            title="All digits, as Python prints them"
            onClick={() => {
              exact.value = !exact.value;
            }}
          >
            exact
          </SmallButton>
          {selected.value === chunk && (
            <SmallButton
              aria-label="Deselect this chunk"
              title="Follow the cursor again"
              onClick={() => {
                selected.value = null;
                token.value = null;
              }}
            >
              ×
            </SmallButton>
          )}
        </span>
      </header>
      {decision && policy ? (
        <PolicyStep decision={decision} policy={policy} exact={exact.value} />
      ) : decision ? (
        <Step view={view} decision={decision} turn={turn} picked={picked} exact={exact.value} onPick={pick} />
      ) : (
        <p class="aiw-hint" data-testid="undecided">
          {isDecisionHidden(hidden, chunk)
            ? "Hidden until it is revealed in step mode."
            : "Heard, not decided yet."}
        </p>
      )}
      {decision && <RunOn view={view} chunk={chunk} />}
      <More view={view} chunk={chunk} decision={decision} picked={picked} exact={exact.value} />
    </section>
  );
}

interface StepProps {
  view: View;
  decision: Decision;
  turn: TurnRecord | undefined;
  picked: Token | null;
  exact: boolean;
  onPick: (index: number | null) => void;
}

/** Render the strip, and the draw of the decision or of the selected reply token. */
function Step({ view, decision, turn, picked, exact, onPick }: StepProps) {
  const { store } = view;
  const vocabulary = store.vocabulary.value;
  return (
    <>
      <ProtocolStrip
        decision={decision}
        turn={turn}
        vocabulary={vocabulary}
        picked={picked?.index ?? null}
        onPick={onPick}
      />
      <CacheGauge decision={decision} context={String(store.settings.value?.context ?? "")} />
      <h4 class="aiw-subheading" data-testid="inspected-step">
        {picked ? `Token ${picked.index + 1} of the reply` : "The decision"}
        <small>
          {" "}
          read at position {picked?.position ?? decision.position} · token {picked?.token ?? decision.token}
        </small>
      </h4>
      <SamplingTable
        sampling={picked ? tokenSampling(picked, decision.rule) : decisionSampling(decision, vocabulary)}
        rule={decision.rule}
        decision={picked === null}
        exact={exact}
      />
    </>
  );
}

interface MoreProps {
  view: View;
  chunk: number;
  decision: Decision | undefined;
  picked: Token | null;
  exact: boolean;
}

/** Render the folded details: latencies, remarks, the events as JSON. */
function More({ view, chunk, decision, picked, exact }: MoreProps) {
  void view.store.version.value;
  const { record } = view.store;
  const hidden = view.hiddenFrom.value;
  const { remarks } = readout(record, chunk, hidden);
  const json = () => pretty(picked ? [picked] : eventsOf(record, chunk, hidden));
  const open = useSignal(false);
  return (
    <>
      {remarks.length > 0 && (
        <p class="aiw-fact">
          <span class="aiw-key">notes</span>
          {remarks.join(" · ")}
        </p>
      )}
      {decision && record.timings.get(chunk) && (
        <details class="aiw-fold">
          <summary>
            Latency <small>{latencySummary(record.latency, chunk)}</small>
          </summary>
          <LatencyRows
            latency={record.latency}
            chunk={chunk}
            reply_ms={record.timings.reply_ms(chunk)}
            exact={exact}
          />
        </details>
      )}
      <details
        class="aiw-fold"
        onToggle={(event) => {
          open.value = event.currentTarget.open;
        }}
      >
        <summary>
          {picked ? "Event" : "Events"} <small>as JSON</small>
        </summary>
        {open.value && (
          <div class="aiw-json">
            <CopyButton text={json} label="Copy the JSON" />
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
            <pre tabIndex={0} data-testid="event-json">
              {json()}
            </pre>
          </div>
        )}
      </details>
    </>
  );
}
