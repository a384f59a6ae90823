/** What happened at the picked chunk: probabilities, logits, the draw, the likeliest tokens, times. */
import type { Decision, Timing } from "../events";
import { CHOICE_WORDS, readout } from "../timeline/readout";
import type { View } from "../view";

export function ChunkDetail({ view }: { view: View }) {
  const { selected, store } = view;
  void store.version.value;
  const chunk = selected.value;
  if (chunk === null) {
    return (
      <section class="aiw-card aiw-detail" aria-label="Chunk" data-testid="detail">
        <h3 class="aiw-heading">Chunk</h3>
        <p class="aiw-hint">
          Click a chunk in the timeline, or walk there with the arrow keys and press Enter.
        </p>
      </section>
    );
  }
  const { talk } = store;
  const { title, remarks } = readout(talk, chunk);
  const decision = talk.decisions.get(chunk);
  const timing = talk.timings.get(chunk);
  return (
    <section class="aiw-card aiw-detail" aria-label="Chunk" data-testid="detail" data-chunk={chunk}>
      <h3 class="aiw-heading">
        Chunk {chunk} <small>{title.split(" · ")[1]}</small>
        {decision && (
          <span class={`aiw-choice aiw-choice-${decision.choice}`}>{CHOICE_WORDS[decision.choice]}</span>
        )}
      </h3>
      {decision ? <Probabilities decision={decision} /> : <p class="aiw-hint">Not decided yet.</p>}
      {decision && <Draw decision={decision} />}
      {decision && decision.alternatives.length > 0 && (
        <p class="aiw-fact">
          <span class="aiw-key">likeliest</span>
          {decision.alternatives.map((other) => (
            <span key={other.token} class="aiw-chip" title={`token ${other.token}`}>
              {other.text || `#${other.token}`} {other.p.toFixed(3)}
            </span>
          ))}
        </p>
      )}
      {timing && (
        <p class="aiw-fact">
          <span class="aiw-key">time</span>
          {timingText(timing)}
        </p>
      )}
      {remarks.length > 0 && (
        <p class="aiw-fact">
          <span class="aiw-key">notes</span>
          {remarks.join(" · ")}
        </p>
      )}
    </section>
  );
}

function Probabilities({ decision }: { decision: Decision }) {
  const rows: [string, number, number | null, string][] = [
    ["TEXT_BEGIN", decision.p_text, decision.logit_text, "text"],
    ["KEEP_SILENCE", decision.p_keep, decision.logit_keep, "keep"],
    ["all others", decision.p_other, null, "other"],
  ];
  return (
    <table class="aiw-odds">
      <thead class="aiw-hidden">
        <tr>
          <th scope="col">token</th>
          <th scope="col">share</th>
          <th scope="col">probability</th>
          <th scope="col">logit</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, p, logit, kind]) => (
          <tr key={kind}>
            <th scope="row">{name}</th>
            <td class="aiw-odds-bar" aria-hidden="true">
              <span
                class={`aiw-bar aiw-bar-${kind}`}
                style={{ width: `${Math.max(0, Math.min(1, p)) * 100}%` }}
              />
            </td>
            <td>{p.toFixed(4)}</td>
            <td class="aiw-logit">{logit === null ? "" : `logit ${logit.toFixed(2)}`}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Draw({ decision }: { decision: Decision }) {
  const likeliest = decision.token === decision.argmax ? "the likeliest token" : `argmax ${decision.argmax}`;
  const how = decision.draw === null ? "greedy" : `draw ${decision.draw.toFixed(4)}`;
  return (
    <p class="aiw-fact">
      <span class="aiw-key">drawn</span>
      {decision.choice} ({decision.token}) · p after mask, bias and temperature {decision.p_drawn.toFixed(4)}{" "}
      · {how} · {likeliest} · position {decision.position}
    </p>
  );
}

function timingText(timing: Timing): string {
  const parts: [string, number][] = [
    ["queue", timing.queue_ms],
    ["features", timing.features_ms],
    ["tower", timing.tower_ms],
    ["decide", timing.decide_ms],
    ["reply", timing.reply_ms],
  ];
  return parts
    .filter(([name, ms]) => ms > 0 || name === "decide")
    .map(([name, ms]) => `${name} ${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`)
    .join(" · ");
}
