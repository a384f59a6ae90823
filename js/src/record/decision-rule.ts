/**
 * Decision of one chunk from its recorded numbers, under any sampling rule, without a model. The arithmetic is that
 * of `ai_widgets/analysis/decision_rule.py`; tests compare both with `tests/vectors/what_if.json`.
 */

import type { Choice, Decision, Rule } from "./events";

/** Recorded numbers that a decision needs; the alternatives are read only if all tokens compete. */
export interface Recorded extends Pick<Decision, "logit_keep" | "logit_text" | "draw"> {
  all?: () => Pick<Decision, "token" | "p_keep" | "p_text" | "alternatives">;
}

export interface Outcome {
  /** Null if the recorded numbers do not determine it. */
  choice: Choice | null;
  /**
   * Probability of TEXT_BEGIN in the distribution that is drawn from; null if the recorded numbers do not determine
   * it.
   */
  p_text: number | null;
}

type Score = readonly [choice: Choice, logit: number];

const UNKNOWN: Outcome = { choice: null, p_text: null };

/** Compute the decision of a rule on a recorded distribution, with the recorded random number. */
export function decided(recorded: Recorded, rule: Partial<Rule>): Outcome {
  const scores = rule.greedy === undefined ? null : scoresOf(recorded, rule);
  if (!scores) return UNKNOWN;
  const weights = weightsOf(scores, rule);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const p_text = (weights[scores.findIndex(([choice]) => choice === "TEXT_BEGIN")] ?? 0) / total;
  if (rule.greedy) return { choice: scores[0]?.[0] ?? null, p_text };
  if (recorded.draw === null) return { choice: null, p_text };
  const mass = recorded.draw * total;
  let reached = 0;
  for (const [i, [choice]] of scores.entries()) {
    reached += weights[i] as number;
    if (reached > mass) return { choice, p_text };
  }
  return { choice: scores.at(-1)?.[0] ?? null, p_text };
}

/**
 * Return the tokens that remain after top-k, with their biased logits, highest first; null if the record does not
 * determine them. Equal logits are in the order of the tokens, KEEP_SILENCE before TEXT_BEGIN.
 */
function scoresOf(recorded: Recorded, rule: Partial<Rule>): Score[] | null {
  const pair: Score[] = [
    ["KEEP_SILENCE", recorded.logit_keep],
    ["TEXT_BEGIN", recorded.logit_text + (rule.bias ?? 0)],
  ];
  const count = rule.greedy ? 1 : (rule.top_k ?? null);
  const byLogit = (a: Score, b: Score) => b[1] - a[1];
  if (rule.mask) return pair.sort(byLogit).slice(0, count ?? 2);
  const others = othersOf(recorded);
  if (!others || count === null) return null;
  const ordered = [...pair, ...others.logits.map((logit): Score => ["OTHER", logit])].sort(byLogit);
  const last = ordered[count - 1];
  if (!last || last[1] < others.bound) return null;
  return ordered.slice(0, count);
}

/**
 * Return the logits of the other recorded tokens, and an upper bound of those that are not recorded: a record has the
 * most probable tokens, and always the drawn one and both decision tokens.
 */
function othersOf({
  logit_keep,
  logit_text,
  all,
}: Recorded): { logits: readonly number[]; bound: number } | null {
  const event = all?.();
  if (!event) return null;
  const [logit, p] = event.p_text > event.p_keep ? [logit_text, event.p_text] : [logit_keep, event.p_keep];
  if (event.alternatives.length === 0 || p <= 0) return null;
  const known = event.alternatives.filter(
    (other) => other.text !== "KEEP_SILENCE" && other.text !== "TEXT_BEGIN" && other.p > 0,
  );
  const likeliest = known.filter(({ token }) => token !== event.token);
  const bound =
    likeliest.length > 0
      ? Math.min(...likeliest.map((other) => other.p))
      : Math.max(...event.alternatives.map((other) => other.p));
  return {
    logits: known.map((other) => logit + Math.log(other.p / p)),
    bound: logit + Math.log(bound / p),
  };
}

/** Compute the weights of the tokens that remain after top-p, and 0 for the others. */
function weightsOf(scores: readonly Score[], rule: Partial<Rule>): number[] {
  if (rule.greedy) return scores.map((_, i) => Number(i === 0));
  const highest = scores[0]?.[1] ?? 0;
  const weights = scores.map(([, score]) => Math.exp((score - highest) / (rule.temperature ?? 1)));
  const top_p = rule.top_p ?? 1;
  if (top_p >= 1) return weights;
  const mass = top_p * weights.reduce((sum, weight) => sum + weight, 0);
  let reached = 0;
  let last = weights.length - 1;
  for (const [i, weight] of weights.entries()) {
    reached += weight;
    if (reached >= mass) {
      last = i;
      break;
    }
  }
  return weights.map((weight, i) => (i <= last ? weight : 0));
}

/** Probabilities of the two decision tokens after bias and temperature, and after top-k and top-p. */
export interface Pair {
  text: number;
  keep: number;
  text_kept: number;
  keep_kept: number;
}

/** Compute the distribution that a masked decision is drawn from. */
export function pairOf(logit_keep: number, logit_text: number, rule: Partial<Rule>): Pair {
  const odds = (logit_text + (rule.bias ?? 0) - logit_keep) / (rule.greedy ? 1 : (rule.temperature ?? 1));
  const kept = decided(
    { logit_keep, logit_text, draw: 0 },
    { ...rule, greedy: rule.greedy ?? false, mask: true },
  );
  const text_kept = kept.p_text ?? 0;
  return {
    text: 1 / (1 + Math.exp(-odds)),
    keep: 1 / (1 + Math.exp(odds)),
    text_kept,
    keep_kept: 1 - text_kept,
  };
}
