/**
 * What if: recorded decisions that another rule would change, computed from the recorded logits and random numbers.
 * Exact up to and including the first changed decision; after it the context would have other tokens.
 * `ai_widgets/analysis/what_if.py` computes the same.
 */

import { decided, type Recorded } from "./decision-rule";
import type { DecisionTable } from "./decision-table";
import type { Choice, Rule } from "./events";

/** Changed values of the rule; null keeps the recorded value. */
export interface WhatIf {
  /** Added to TEXT_BEGIN's logit. */
  bias: number | null;
  temperature: number | null;
  /** Whether only the two decision tokens may be drawn. */
  mask: boolean | null;
  /**
   * Speak if p(TEXT_BEGIN) of the two decision tokens, with the bias, is above this value: greedy, with a bias
   * reduced by the threshold's log-odds.
   */
  threshold: number | null;
  greedy: boolean | null;
  top_p: number | null;
  /** 0 keeps all tokens. */
  top_k: number | null;
}

export const NO_CHANGE: WhatIf = {
  ...{ bias: null, temperature: null, mask: null, threshold: null },
  ...{ greedy: null, top_p: null, top_k: null },
};

/** Fields of a rule that also apply to the tokens of replies. */
const REPLY = ["greedy", "temperature", "top_k", "top_p"] as const;

/** Decision that differs from the recorded one. */
export interface Flip {
  chunk: number;
  choice: Choice;
}

export interface WhatIfResult {
  /** Changed decisions in order. Those after `exactUntil` are estimates. */
  changed: readonly Flip[];
  /** Chunks whose decision cannot be computed from the record, in order. */
  unknown: readonly number[];
  /** Last chunk whose decision a run with the changed rule would certainly share; null if there is none. */
  exactUntil: number | null;
  /** Whether the result is exact to the end of the record. */
  exactToEnd: boolean;
}

export function isChange(changes: WhatIf): boolean {
  return Object.values(changes).some((value) => value !== null);
}

/** Decide every chunk of a record again. */
export function whatIf(decisions: DecisionTable, changes: WhatIf): WhatIfResult {
  const changed: Flip[] = [];
  const unknown: number[] = [];
  let exactUntil: number | null = null;
  let sure = true;
  for (let chunk = 0; chunk < decisions.length; chunk++) {
    const before = decisions.choiceOf(chunk);
    if (before === null) continue;
    const recorded = decisions.rule(chunk);
    const rule = ruleOf(recorded, changes);
    const choice = choiceOn(decisions, chunk, rule);
    if (choice === null) unknown.push(chunk);
    else if (choice !== before) changed.push({ chunk, choice });
    sure &&= choice !== null;
    if (sure) exactUntil = chunk;
    // Another rule draws other tokens for a reply, so that the context after it is unknown.
    const sameReply = before !== "TEXT_BEGIN" || REPLY.every((name) => rule[name] === recorded[name]);
    sure &&= choice === before && sameReply;
  }
  const last = decisions.length - 1;
  return { changed, unknown, exactUntil, exactToEnd: exactUntil === last };
}

/** Return the rule of a decision with the changes. */
export function ruleOf(recorded: Partial<Rule>, changes: WhatIf): Partial<Rule> {
  const rule = { ...recorded };
  for (const name of ["bias", "temperature", "mask", "greedy", "top_p"] as const) {
    if (changes[name] !== null) Object.assign(rule, { [name]: changes[name] });
  }
  if (changes.top_k !== null) rule.top_k = changes.top_k === 0 ? null : changes.top_k;
  const { threshold } = changes;
  if (threshold !== null) {
    rule.greedy = true;
    rule.bias = (rule.bias ?? 0) - Math.log(threshold / (1 - threshold));
  }
  return rule;
}

/** Return the settings that a run with the changes needs, beside those of the recorded rule. */
export function changedSettings(recorded: Partial<Rule>, changes: WhatIf): Record<string, unknown> {
  const rule = ruleOf(recorded, changes);
  const set = new Set(Object.entries(changes).flatMap(([name, value]) => (value === null ? [] : [name])));
  if (set.delete("threshold")) set.add("greedy").add("bias");
  // A session reads 0 as all tokens and null as the checkpoint's value.
  return Object.fromEntries(
    [...set].map((name) => [name, name === "top_k" ? changes.top_k : rule[name as keyof Rule]]),
  );
}

/** Return the choice on one chunk under a rule; null if the record does not determine it. A forced decision is kept. */
function choiceOn(decisions: DecisionTable, chunk: number, rule: Partial<Rule>): Choice | null {
  const { forced } = decisions.rule(chunk) as { forced?: Choice };
  return forced ?? decided(recordedAt(decisions, chunk), rule).choice;
}

/** Return the numbers of a decided chunk that another rule needs. */
export function recordedAt(decisions: DecisionTable, chunk: number): Recorded {
  const { logit_keep, logit_text, draw } = decisions.columns.of;
  const number = draw[chunk] as number;
  return {
    logit_keep: logit_keep[chunk] as number,
    logit_text: logit_text[chunk] as number,
    draw: Number.isNaN(number) ? null : number,
    // Rebuilt for each chunk, and needed only without the mask.
    all: () => decisions.get(chunk) as NonNullable<ReturnType<DecisionTable["get"]>>,
  };
}
