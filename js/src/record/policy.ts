/**
 * Decisions of a baseline policy. A policy has no tokens, no logits and no context: its rule, its parameters and its
 * detector's score are in `Decision.rule` (ai_widgets/policies/policy.py).
 */

import type { Decision } from "./events";

/** Score of a policy's detector in one chunk, and the scores at the bottom and at the top of the lane. */
export interface PolicyScore {
  /** Name of the score: "P(speech)", "dB above the background". */
  name: string;
  value: number;
  threshold: number;
  low: number;
  high: number;
}

export interface PolicyFacts {
  /** Name of the policy. */
  name: string;
  /** Null if the policy has no detector, or if no window ended in the chunk. */
  score: PolicyScore | null;
  /** Parameters and state of the rule, in the kernel's order. */
  facts: readonly (readonly [name: string, value: string])[];
}

/** Keys that are part of the score or of its drawing. */
const OF_THE_SCORE = ["policy", "score", "score_name", "score_low", "score_high"];

/** Return the policy that made a decision; null for a decision of a model. */
export function policyOf({ rule }: Pick<Decision, "rule">): PolicyFacts | null {
  const values = rule as Readonly<Record<string, unknown>>;
  if (typeof values.policy !== "string") return null;
  const facts = Object.entries(values).filter(([name]) => !OF_THE_SCORE.includes(name));
  return {
    name: values.policy,
    score: scoreOf(values),
    facts: facts.map(([name, value]) => [name.replaceAll("_", " "), String(value)] as const),
  };
}

function scoreOf(values: Readonly<Record<string, unknown>>): PolicyScore | null {
  const { score, threshold, score_low, score_high, score_name } = values;
  const numbers = [score, threshold, score_low, score_high];
  if (!numbers.every((one) => typeof one === "number") || !(Number(score_high) > Number(score_low)))
    return null;
  const [value, at, low, high] = numbers as [number, number, number, number];
  return { name: String(score_name ?? "score"), value, threshold: at, low, high };
}

/** Return the height of a score in its lane: 0 at the bottom, 1 at the top. */
export function heightOf({ low, high }: PolicyScore, score: number): number {
  return Math.min(1, Math.max(0, (score - low) / (high - low)));
}
