/** Steps of sampling from the raw distribution to the drawn token, as the event records them. */
import type { Alternative, Decision, Rule, Token } from "../record/events";
import type { Vocabulary } from "../record/vocabulary";

export interface SamplingRow {
  token: number | null;
  text: string;
  /** Raw probability; after mask, bias and temperature; after top-k and top-p. Null if the event lacks it. */
  p: number;
  scaled: number | null;
  kept: number | null;
  /** Raw logit; null for reply tokens, whose events lack it. */
  logit: number | null;
  drawn: boolean;
  argmax: boolean;
}

/** Interval of a token on the line from 0 to 1, in which the random number may fall. */
export interface Segment {
  token: number | null;
  text: string;
  from: number;
  to: number;
  drawn: boolean;
}

export interface Sampling {
  rows: SamplingRow[];
  /** Raw probability of all tokens without a row; `recorded` if the event has this value. */
  rest: { p: number; recorded: boolean };
  segments: Segment[];
  /** The random number; null with greedy decoding. */
  draw: number | null;
  /** False for events of an older version, which lack the intermediate steps. */
  known: boolean;
}

export function decisionSampling(decision: Decision, vocabulary: Vocabulary): Sampling {
  const known = decision.rule.greedy !== undefined;
  const pair = [
    { name: "TEXT_BEGIN", p: decision.p_text, logit: decision.logit_text },
    { name: "KEEP_SILENCE", p: decision.p_keep, logit: decision.logit_keep },
  ].map(({ name, p, logit }) => {
    const other = decision.alternatives.find((candidate) =>
      name in vocabulary.tokens ? candidate.token === vocabulary.tokens[name] : candidate.text === name,
    );
    const token =
      other?.token ?? vocabulary.tokens[name] ?? (decision.choice === name ? decision.token : null);
    return { ...rowOf(decision, known, { ...other, token, text: name, p }), logit };
  });
  const others = decision.alternatives
    .filter(({ token }) => pair.every((row) => row.token !== token))
    .map((other) => rowOf(decision, known, other));
  return {
    rows: [...pair, ...others],
    rest: { p: decision.p_other, recorded: true },
    segments: segmentsOf([...pair, ...others], decision.draw),
    draw: decision.draw,
    known,
  };
}

/**
 * Return the steps of a reply token. `rule` is that of the decision that began the reply: a changed setting applies
 * from the next chunk on.
 */
export function tokenSampling(token: Token, rule: Partial<Rule>): Sampling {
  const known = rule.greedy !== undefined;
  const rows: SamplingRow[] = token.alternatives.map((other) => rowOf(token, known, other));
  rows.sort((a, b) => b.p - a.p);
  if (rows.every((row) => !row.drawn)) {
    rows.push(rowOf(token, false, { token: token.token, text: token.text, p: token.p }));
  }
  const listed = rows.reduce((sum, row) => sum + row.p, 0);
  return {
    rows,
    rest: { p: Math.max(0, 1 - listed), recorded: false },
    segments: segmentsOf(rows, token.draw),
    draw: token.draw,
    known,
  };
}

function rowOf(
  step: Decision | Token,
  known: boolean,
  other: Partial<Omit<Alternative, "token">> & Pick<SamplingRow, "token" | "text" | "p">,
): SamplingRow {
  return {
    token: other.token,
    text: other.text,
    p: other.p,
    scaled: known ? (other.scaled ?? null) : null,
    kept: known ? (other.kept ?? null) : null,
    logit: null,
    drawn: other.token === step.token,
    argmax: other.token === step.argmax,
  };
}

/**
 * Compute the intervals of the kept tokens, most probable first, as the sampler adds them up. If all tokens are kept,
 * only the most probable ones are listed: the remaining interval is that of the rest, and a drawn token of the rest
 * lies in it.
 */
function segmentsOf(rows: readonly SamplingRow[], draw: number | null): Segment[] {
  const kept = rows.filter((row) => (row.kept ?? 0) > 0);
  kept.sort((a, b) => (b.kept ?? 0) - (a.kept ?? 0));
  let from = 0;
  let segments = kept.map(({ token, text, kept: share, drawn }) => {
    const segment = { token, text, from, to: Math.min(1, from + (share ?? 0)), drawn };
    from = segment.to;
    return segment;
  });
  const drawn = segments.at(-1);
  // This token is listed only because it was drawn; its true place on the line is unknown.
  const stray = drawn?.drawn && draw !== null && draw > drawn.to && segments.length > 1;
  if (stray) {
    segments = segments.slice(0, -1);
    from = segments.at(-1)?.to ?? 0;
  }
  // Probabilities are rounded; a remainder of that size is no rest.
  if (segments.length > 0 && 1 - from > 1e-6) {
    segments.push({ token: null, text: "the rest", from, to: 1, drawn: Boolean(stray) });
  } else {
    const last = segments.at(-1);
    if (last) last.to = 1;
  }
  return segments;
}
