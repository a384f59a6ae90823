/**
 * What if: which recorded decisions another rule would have changed, computed from the recorded logits and random
 * numbers. Exact up to and including the first changed decision; after it the context would hold other tokens.
 * `ai_widgets/analysis/what_if.py` computes the same.
 */

import { decided } from "./decision-rule";
import type { DecisionTable } from "./decision-table";
import type { Choice, Rule } from "./events";

/** Changed values of the rule; null leaves the recorded one. */
export interface WhatIf {
  /** Added to TEXT_BEGIN's logit. */
  bias: number | null;
  temperature: number | null;
  /** Whether only the two decision tokens may be drawn. */
  mask: boolean | null;
  /**
   * Speaks where p(TEXT_BEGIN) of the two decision tokens, with the bias, is above this: greedy, with a bias that is
   * smaller by the threshold's log-odds.
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

/** Fields of a rule that also draw the tokens of replies. */
const REPLY = ["greedy", "temperature", "top_k", "top_p"] as const;

/** A decision that is another one than was recorded. */
export interface Flip {
  chunk: number;
  choice: Choice;
}

export interface WhatIfResult {
  /** The decisions that are other ones, in order. Those after `exactUntil` are estimates. */
  changed: readonly Flip[];
  /** Chunks whose decision cannot be told from what was recorded, in order. */
  unknown: readonly number[];
  /** The last chunk of which a run with the changed rule is known to decide the same; null where none is. */
  exactUntil: number | null;
  /** Whether that is so to the end of the record. */
  exactToEnd: boolean;
}

export function isChange(changes: WhatIf): boolean {
  return Object.values(changes).some((value) => value !== null);
}

/** Decides on every chunk of a record anew. */
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
    // Another rule draws other tokens for a reply, so that what follows it is not known.
    const sameReply = before !== "TEXT_BEGIN" || REPLY.every((name) => rule[name] === recorded[name]);
    sure &&= choice === before && sameReply;
  }
  const last = decisions.length - 1;
  return { changed, unknown, exactUntil, exactToEnd: exactUntil === last };
}

/** The rule of a decision with the changes. */
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

/** The choice on one chunk under a rule; null where the record does not tell. A forced decision stays. */
function choiceOn(decisions: DecisionTable, chunk: number, rule: Partial<Rule>): Choice | null {
  const { forced } = decisions.rule(chunk) as { forced?: Choice };
  if (forced) return forced;
  const { logit_keep, logit_text, draw } = decisions.columns.of;
  const number = draw[chunk] as number;
  const { choice } = decided(
    {
      logit_keep: logit_keep[chunk] as number,
      logit_text: logit_text[chunk] as number,
      draw: Number.isNaN(number) ? null : number,
      // Made anew for each chunk, and needed without the mask only.
      all: () => decisions.get(chunk) as NonNullable<ReturnType<DecisionTable["get"]>>,
    },
    rule,
  );
  return choice;
}
