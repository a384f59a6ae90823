/**
 * What if: which recorded decisions another rule would have changed, computed from the recorded logits and random
 * numbers. Exact up to and including the first changed decision; after it the context would hold other tokens.
 * `ai_widgets/analysis/what_if.py` computes the same.
 */

import type { DecisionTable } from "./decision-table";
import type { Choice, Rule } from "./events";

/** Changed values of the rule; null leaves the recorded one. */
export interface WhatIf {
  /** Added to TEXT_BEGIN's logit. */
  bias: number | null;
  temperature: number | null;
  /** Whether only the two decision tokens may be drawn. */
  mask: boolean | null;
  /** Speaks where p(TEXT_BEGIN) of the two decision tokens is at least this, in place of the draw. */
  threshold: number | null;
}

export const NO_CHANGE: WhatIf = { bias: null, temperature: null, mask: null, threshold: null };

/** A decision that is another one than was recorded. */
export interface Flip {
  chunk: number;
  choice: Choice;
}

export interface WhatIfResult {
  /** The decisions that are other ones, in order. Those after the first are estimates. */
  changed: readonly Flip[];
  /** Chunks whose decision cannot be told from what was recorded, in order. */
  unknown: readonly number[];
  /** The first chunk that is changed or cannot be told: everything before it is as recorded. Null where there is none. */
  first: number | null;
}

/** Probabilities of the two decision tokens, after mask, bias and temperature, and after top-k and top-p. */
export interface Pair {
  text: number;
  keep: number;
  text_kept: number;
  keep_kept: number;
}

export function isChange(whatIf: WhatIf): boolean {
  return Object.values(whatIf).some((value) => value !== null);
}

/** The distribution over the two decision tokens that a masked decision is drawn from. */
export function pairOf(logit_keep: number, logit_text: number, rule: Partial<Rule>): Pair {
  const temperature = rule.greedy ? 1 : (rule.temperature ?? 1);
  const odds = (logit_text + (rule.bias ?? 0) - logit_keep) / temperature;
  const text = 1 / (1 + Math.exp(-odds));
  const keep = 1 / (1 + Math.exp(odds));
  // Equal scores stand in the order KEEP_SILENCE, TEXT_BEGIN.
  const textFirst = odds > 0;
  const first = textFirst ? text : keep;
  const alone = rule.greedy || rule.top_k === 1 || ((rule.top_p ?? 1) < 1 && first >= (rule.top_p ?? 1));
  if (!alone) return { text, keep, text_kept: text, keep_kept: keep };
  return { text, keep, text_kept: textFirst ? 1 : 0, keep_kept: textFirst ? 0 : 1 };
}

/** Decides on every chunk of a record anew. */
export function whatIf(decisions: DecisionTable, changes: WhatIf): WhatIfResult {
  const changed: Flip[] = [];
  const unknown: number[] = [];
  for (let chunk = 0; chunk < decisions.length; chunk++) {
    if (!decisions.has(chunk)) continue;
    const found = decide(decisions, chunk, changes);
    if (found === null) unknown.push(chunk);
    else if (found !== decisions.choiceOf(chunk)) changed.push({ chunk, choice: found });
  }
  const firsts = [changed[0]?.chunk, unknown[0]].filter((chunk) => chunk !== undefined);
  return { changed, unknown, first: firsts.length > 0 ? Math.min(...firsts) : null };
}

/** The choice on one chunk under a changed rule; null where the record does not tell enough. */
export function decide(decisions: DecisionTable, chunk: number, changes: WhatIf): Choice | null {
  const recorded = decisions.rule(chunk);
  const rule: Partial<Rule> = {
    ...recorded,
    bias: changes.bias ?? recorded.bias ?? 0,
    temperature: changes.temperature ?? recorded.temperature ?? 1,
    mask: changes.mask ?? recorded.mask ?? true,
  };
  const { logit_keep, logit_text, draw } = decisions.columns.of;
  const [keep, text] = [logit_keep[chunk] as number, logit_text[chunk] as number];
  const number = draw[chunk] as number;
  if (changes.threshold !== null) {
    return pairOf(keep, text, rule).text >= changes.threshold ? "TEXT_BEGIN" : "KEEP_SILENCE";
  }
  // A random number is missing where the record was greedy.
  if (!rule.greedy && Number.isNaN(number)) return null;
  if (rule.mask) {
    const pair = pairOf(keep, text, rule);
    const textFirst = pair.text > pair.keep;
    const first = textFirst ? pair.text_kept : pair.keep_kept;
    const takesFirst = rule.greedy || first > number;
    return takesFirst === textFirst ? "TEXT_BEGIN" : "KEEP_SILENCE";
  }
  return decideUnmasked(decisions, chunk, rule, number);
}

/**
 * Without the mask every token competes. The record has the likeliest tokens only, so that the choice is known where the
 * random number falls on one of these, and the mass of the others is known: at temperature 1, or after top-k.
 */
function decideUnmasked(
  decisions: DecisionTable,
  chunk: number,
  rule: Partial<Rule>,
  number: number,
): Choice | null {
  const event = decisions.get(chunk);
  if (!event || event.alternatives.length === 0) return null;
  const { logit_keep, logit_text, p_keep, p_text, p_other } = event;
  const temperature = rule.greedy ? 1 : (rule.temperature ?? 1);
  const bias = rule.bias ?? 0;
  // The logarithm of the sum over the vocabulary, by the likelier of the two decision tokens.
  const sum = p_keep >= p_text ? logit_keep - Math.log(p_keep) : logit_text - Math.log(p_text);
  const others = event.alternatives
    .filter(({ text }) => text !== "KEEP_SILENCE" && text !== "TEXT_BEGIN")
    .map(({ p }) => ({ choice: "OTHER" as Choice, score: Math.log(p) + sum }));
  const pair: { choice: Choice; score: number }[] = [
    { choice: "KEEP_SILENCE", score: logit_keep },
    { choice: "TEXT_BEGIN", score: logit_text + bias },
  ];
  const ranked = [...pair, ...others].sort((a, b) => b.score - a.score);
  if (rule.greedy || rule.top_k === 1) return ranked[0]?.choice ?? null;
  // Tokens below the least of the listed ones are not known.
  const least = Math.min(...others.map(({ score }) => score), Number.POSITIVE_INFINITY);
  const certain = ranked.filter(({ score }) => score >= least);
  const weight = (score: number) => Math.exp((score - sum) / temperature);
  const top_k = rule.top_k ?? null;
  let kept = certain;
  let total: number;
  if (top_k !== null && top_k <= certain.length) {
    kept = certain.slice(0, top_k);
    total = kept.reduce((mass, { score }) => mass + weight(score), 0);
  } else if (temperature === 1 && top_k === null && (rule.top_p ?? 1) === 1) {
    total = p_keep + p_other + p_text * Math.exp(bias);
  } else {
    return null;
  }
  if ((rule.top_p ?? 1) < 1) {
    let mass = 0;
    kept = kept.filter(({ score }) => {
      const before = mass;
      mass += weight(score);
      return before < (rule.top_p ?? 1) * total;
    });
    total = kept.reduce((sum, { score }) => sum + weight(score), 0);
  }
  let mass = 0;
  for (const { choice, score } of kept) {
    mass += weight(score);
    if (number * total < mass) return choice;
  }
  // Beyond the listed tokens: another one, if both decision tokens are listed.
  return pair.every((one) => kept.includes(one)) && kept === certain ? "OTHER" : null;
}
