/** Decisions of a record as numbers in columns; `get` rebuilds the event. */

import { Columns } from "./columns";
import type { Alternative, Choice, Decision, Rule } from "./events";
import { Interned } from "./interned";
import { heightOf, policyOf } from "./policy";
import { largest, Pyramid, summit } from "./pyramid";

/** Codes of the choices: a stretch shows the highest code among its chunks. 0 is "not decided yet". */
export const CHOICE_CODES: Record<Choice, number> = { KEEP_SILENCE: 1, TEXT_BEGIN: 2, OTHER: 3 };
const CHOICES = Object.keys(CHOICE_CODES) as Choice[];

const NUMBERS = [
  ...(["start_s", "clip", "token", "argmax", "position", "oldest", "used", "limit", "draw"] as const),
  ...(["p_keep", "p_text", "p_other", "logit_keep", "logit_text", "p_drawn"] as const),
] as const;

export class DecisionTable {
  readonly columns = new Columns([
    ...NUMBERS,
    "rule",
    "before",
    "firstOther",
    "others",
    "height",
    "threshold",
  ]);
  /** Chunk of each stretch with the highest p(TEXT_BEGIN); with a policy, the chunk with the highest score. */
  readonly likeliest = summit((chunk) => this.columns.of.height[chunk] as number);
  readonly otherMost = largest();
  /** Codes of `CHOICE_CODES`. */
  readonly choice = new Pyramid((cells) => new Uint8Array(cells), Math.max, 0);
  /** Number of decisions. */
  count = 0;
  readonly #others = new Columns(["token", "text", "p", "scaled", "kept"]);
  readonly #words = new Interned<string>((word) => word);
  readonly #rules = new Interned<Partial<Rule>>();
  /** `before` of the decisions: one token, or the prefix at an empty context, so few distinct values. */
  readonly #befores = new Interned<readonly number[]>();

  get length(): number {
    return this.columns.length;
  }

  has(chunk: number): boolean {
    return this.choiceCode(chunk) > 0;
  }

  choiceCode(chunk: number): number {
    return chunk < 0 ? 0 : this.choice.cell(0, chunk);
  }

  choiceOf(chunk: number): Choice | null {
    return CHOICES[this.choiceCode(chunk) - 1] ?? null;
  }

  set(event: Decision): void {
    const { chunk, rule } = event;
    if (!this.has(chunk)) this.count += 1;
    const firstOther = this.#others.length;
    this.columns.reach(chunk);
    const { of } = this.columns;
    for (const name of NUMBERS) of[name][chunk] = event[name] ?? Number.NaN;
    of.rule[chunk] = this.#rules.number(rule);
    of.before[chunk] = this.#befores.number(event.before);
    of.firstOther[chunk] = firstOther;
    of.others[chunk] = event.alternatives.length;
    const policy = policyOf(event);
    const score = policy?.score;
    // A policy without a detector has no threshold: its lane shows the decisions only.
    of.height[chunk] = score ? heightOf(score, score.value) : event.p_text;
    if (policy) of.threshold[chunk] = score ? heightOf(score, score.threshold) : Number.NaN;
    else of.threshold[chunk] = threshold(event.p_other, rule.bias ?? 0);
    event.alternatives.forEach(({ token, text, p, scaled, kept }, i) => {
      this.#others.write(firstOther + i, { token, text: this.#words.number(text), p, scaled, kept });
    });
    this.likeliest.set(chunk, chunk);
    this.otherMost.set(chunk, event.p_other);
    this.choice.set(chunk, CHOICE_CODES[event.choice]);
  }

  /** Rebuild the event of a chunk; undefined if there is none. */
  get(chunk: number): Decision | undefined {
    if (!this.has(chunk)) return undefined;
    const { of } = this.columns;
    const numbers = Object.fromEntries(NUMBERS.map((name) => [name, of[name][chunk]]));
    return {
      type: "decision",
      chunk,
      ...(numbers as Record<(typeof NUMBERS)[number], number>),
      choice: CHOICES[this.choiceCode(chunk) - 1] as Choice,
      draw: Number.isNaN(of.draw[chunk]) ? null : (of.draw[chunk] as number),
      alternatives: this.#alternatives(chunk),
      before: [...this.#befores.value(of.before[chunk] as number)],
      rule: { ...this.#rules.value(of.rule[chunk] as number) },
    };
  }

  /** Return the sampling rule in effect at a chunk's decision; empty if there is none. */
  rule(chunk: number): Readonly<Partial<Rule>> {
    return this.has(chunk) ? this.#rules.value(this.columns.of.rule[chunk] as number) : {};
  }

  #alternatives(chunk: number): Alternative[] {
    const { of } = this.columns;
    const first = of.firstOther[chunk] as number;
    const { token, text, p, scaled, kept } = this.#others.of;
    return Array.from({ length: of.others[chunk] as number }, (_, i) => ({
      token: token[first + i] as number,
      text: this.#words.value(text[first + i] as number),
      p: p[first + i] as number,
      scaled: scaled[first + i] as number,
      kept: kept[first + i] as number,
    }));
  }

  get bytes(): number {
    const { columns, likeliest, otherMost, choice } = this;
    return [columns, likeliest, otherMost, choice, this.#others].reduce((sum, part) => sum + part.bytes, 0);
  }
}

/**
 * Compute the p(TEXT_BEGIN) at which speaking and silence are equally probable. The bias b is added to TEXT_BEGIN's
 * logit, so that the two are equal where p_text / p_keep = exp(−b); with p_text + p_keep = 1 − p_other.
 */
export function threshold(p_other: number, bias: number): number {
  return (1 - p_other) / (1 + Math.exp(bias));
}
