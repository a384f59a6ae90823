/** Table of the draw of one token: raw probabilities, the effect of the settings, and the random number. */

import type { ComponentChildren } from "preact";
import type { Rule } from "../record/events";
import { decimals, repr } from "../text/exact";
import { ExactNumber } from "./exact-number";
import type { Sampling, SamplingRow, Segment } from "./sampling-steps";
import { visibleText } from "./visible-text";

interface Props {
  sampling: Sampling;
  rule: Partial<Rule>;
  /** Whether mask and bias apply, which is so for decisions only. */
  decision: boolean;
  exact: boolean;
}

/** Smallest part of the line (0…1) of a segment with a label. */
const LABEL_SHARE = 0.14;

export function SamplingTable({ sampling, rule, decision, exact }: Props) {
  const { rows, rest, known } = sampling;
  return (
    <div class="aiw-sampling" data-testid="sampling" data-exact={exact}>
      <table class="aiw-table aiw-sampling-table">
        <thead>
          <tr>
            <th scope="col">token</th>
            <th scope="col" title="softmax over the whole vocabulary">
              raw
            </th>
            <th scope="col" title="softmax of (logits + bias) ÷ temperature, over the allowed tokens">
              {known ? scaledHead(rule, decision) : "scaled"}
            </th>
            <th scope="col" title="what the token is drawn from">
              {known ? keptHead(rule) : "kept"}
            </th>
            <th scope="col">
              <span class="aiw-hidden">result</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row
              key={`${row.token}/${row.text}`}
              row={row}
              exact={exact}
              masked={rule.mask === true && decision}
            />
          ))}
          <tr class="aiw-sampling-rest">
            <th scope="row">
              {rest.recorded ? "all others" : "not listed"}
              <small>{rest.recorded ? "with those above" : "1 − the listed"}</small>
            </th>
            <Share p={rest.p} exact={exact} kind="rest" />
            <td>{rest.recorded && rule.mask ? "masked" : ""}</td>
            <td />
            <td />
          </tr>
        </tbody>
      </table>
      {known ? (
        <DrawBar sampling={sampling} rule={rule} exact={exact} />
      ) : (
        <p class="aiw-hint">
          This event was written by an older version, which did not record the intermediate steps.
          {sampling.draw !== null && ` Draw ${decimals(sampling.draw)}.`}
        </p>
      )}
    </div>
  );
}

function Row({ row, exact, masked }: { row: SamplingRow; exact: boolean; masked: boolean }) {
  // Only decisions have logits, and only of the two decision tokens.
  const kind = row.text === "TEXT_BEGIN" ? "text" : row.logit !== null ? "keep" : "other";
  const out = masked && row.logit === null;
  return (
    <tr data-kind={kind} data-drawn={row.drawn} data-token={row.token ?? ""}>
      <th scope="row" title={row.token === null ? "" : `token ${row.token}`}>
        <span class="aiw-sampling-token">{breakable(visibleText(row.text))}</span>
        {row.logit !== null && (
          <small>
            logit <ExactNumber value={row.logit} exact={exact} format={(x) => decimals(x, 2)} />
          </small>
        )}
      </th>
      <Share p={row.p} exact={exact} kind={kind} />
      <Share p={out ? null : row.scaled} exact={exact} kind={kind} none={out ? "masked" : "–"} />
      <Share
        p={out || row.kept === 0 ? null : row.kept}
        exact={exact}
        kind={kind}
        none={out ? "masked" : row.kept === 0 ? "removed" : "–"}
      />
      <td class="aiw-sampling-result">
        {row.drawn && <span>◀ drawn</span>} {row.argmax && <span>argmax</span>}
      </td>
    </tr>
  );
}

/** Return a text that a narrow column breaks behind its underscores, as in `TEXT_BEGIN`. */
function breakable(text: string): ComponentChildren {
  return text.split("_").flatMap((part, index) => (index === 0 ? [part] : ["_", <wbr key={index} />, part]));
}

function Share(props: { p: number | null; exact: boolean; kind: string; none?: string }) {
  const { p, exact, kind, none = "" } = props;
  if (p === null) return <td class="aiw-none">{none}</td>;
  return (
    <td>
      <span class="aiw-share">
        <span class="aiw-share-bar" aria-hidden="true">
          <span data-kind={kind} style={{ width: `${Math.min(1, Math.max(0, p)) * 100}%` }} />
        </span>
        <ExactNumber value={p} exact={exact} />
      </span>
    </td>
  );
}

/** Render the intervals of the kept tokens on a line from 0 to 1, and the random number. */
function DrawBar({ sampling, rule, exact }: { sampling: Sampling; rule: Partial<Rule>; exact: boolean }) {
  const { draw, segments } = sampling;
  const hit = segments.find((segment) => segment.drawn);
  if (draw === null) {
    return <p class="aiw-fact">Greedy: the likeliest token is taken, and no number is drawn.</p>;
  }
  return (
    <figure class="aiw-draw">
      <div class="aiw-draw-line" aria-hidden="true">
        {segments.map((segment) => (
          <span
            key={segment.from}
            class="aiw-draw-segment"
            data-drawn={segment.drawn}
            style={{ left: `${segment.from * 100}%`, width: `${(segment.to - segment.from) * 100}%` }}
          >
            {segment.to - segment.from >= LABEL_SHARE ? visibleText(segment.text) : ""}
          </span>
        ))}
        <span class="aiw-draw-mark" style={{ left: `${draw * 100}%` }} />
      </div>
      <figcaption class="aiw-fact">
        <span class="aiw-key">draw</span>
        <strong>
          <ExactNumber value={draw} exact={exact} format={decimals} />
        </strong>{" "}
        {hit && `lies in ${visibleText(hit.text)} (${spanText(hit, exact)})`}
        {rule.seed !== undefined && ` · seed ${rule.seed}`}
      </figcaption>
    </figure>
  );
}

function spanText({ from, to }: Segment, exact: boolean): string {
  return exact ? `${repr(from)} to ${repr(to)}` : `${decimals(from)} to ${decimals(to)}`;
}

function scaledHead({ greedy, temperature, bias, mask }: Partial<Rule>, decision: boolean): string {
  const parts = [greedy ? "" : `÷ T ${temperature}`];
  if (decision) parts.push(`bias ${(bias ?? 0) < 0 ? "−" : "+"}${Math.abs(bias ?? 0)}`, mask ? "mask" : "");
  return parts.filter(Boolean).join(", ") || "no change";
}

function keptHead({ greedy, top_k, top_p }: Partial<Rule>): string {
  if (greedy) return "greedy";
  const parts = [top_k ? `top-k ${top_k}` : "", top_p !== undefined && top_p < 1 ? `top-p ${top_p}` : ""];
  return parts.filter(Boolean).join(", ") || "all kept";
}
