/**
 * Sampling: logits → distribution → token, with the probability of each step. The order is that of
 * `ai_widgets/model/sampling.py`: raw softmax over the whole vocabulary; mask and bias; temperature, top-k and top-p; one
 * uniform draw. The draw inverts the cumulative distribution: the remaining tokens in order of falling probability divide
 * [0, 1) into intervals as long as their probabilities, and the random number selects an interval. Equal scores are in
 * the order of their tokens.
 */

import { type RandomState, random } from "./random";

/** Number of tokens ranked first. The draw and top-p rarely need more; if they do, the whole vocabulary is ranked. */
const FRONT = 64;

type Scores = Float32Array | Float64Array;

/** Parameters of a draw; `topK` null keeps all tokens. */
export interface SamplingRule {
  readonly greedy: boolean;
  readonly temperature: number;
  readonly topK: number | null;
  readonly topP: number;
}

/** Reported token with its probability after each step, as in `events.Alternative`. */
export interface Candidate {
  readonly token: number;
  readonly p: number;
  readonly scaled: number;
  readonly kept: number;
}

/** Result of a draw. */
export interface Draw {
  readonly token: number;
  /** Raw probability of the token, and its probability in the distribution that it was drawn from. */
  readonly p: number;
  readonly p_drawn: number;
  /** Uniform random number in [0, 1) that selected the token; null for greedy decoding. */
  readonly draw: number | null;
  /** Most probable token of the whole vocabulary, before mask and bias. */
  readonly argmax: number;
  /** Most probable tokens and requested tokens, in order of falling raw probability. */
  readonly likeliest: readonly Candidate[];
  /** State of the random generator after the draw. */
  readonly random: RandomState;
}

/** Options of `draw`. */
export interface DrawOptions {
  /** Tokens that may be drawn (the decision mask); all by default. */
  readonly allowed?: readonly number[];
  /** Token, and the number added to its logit after the raw distribution was computed. */
  readonly bias?: readonly [token: number, by: number];
  /** Number of the most probable tokens to report; the drawn token and those of `report` are added. 0 reports none. */
  readonly likeliest?: number;
  readonly report?: readonly number[];
  /** Token to return in place of the drawn one; the draw still takes its number from the generator. */
  readonly forced?: number;
}

/** Softmax distribution: `p = exp((score − highest) / temperature) / total`. */
export class Softmax {
  readonly highest: number;
  /** Sum of all weights; NaN if a score is NaN or infinite. */
  readonly total: number;

  constructor(
    readonly scores: Scores,
    readonly temperature = 1,
  ) {
    let highest = Number.NEGATIVE_INFINITY;
    for (const score of scores) highest = Math.max(highest, score);
    this.highest = highest;
    let total = 0;
    for (const score of scores) total += this.weight(score);
    this.total = total;
  }

  /** Whether the distribution is defined: no score is NaN, and the highest one is finite. */
  get finite(): boolean {
    return Number.isFinite(this.highest) && Number.isFinite(this.total);
  }

  /** Compute the weight of a score: its probability before the division by `total`. */
  weight(score: number): number {
    return Math.exp((score - this.highest) / this.temperature);
  }

  p(score: number): number {
    return this.weight(score) / this.total;
  }
}

/** Distribution after top-k and top-p. */
class Remaining {
  private readonly keepsAll: boolean;
  /** Remaining scores, highest first, their weights, and the sum of all remaining weights. */
  private ranked: readonly number[];
  private weights: readonly number[];
  private total: number;

  constructor(
    private readonly scaled: Softmax,
    rule: SamplingRule,
    number: number,
  ) {
    const { scores } = scaled;
    const count = rule.greedy ? 1 : rule.topK;
    this.keepsAll = count === null && rule.topP === 1;
    this.ranked = highest(scores, count ?? FRONT).map((place) => scores[place] as number);
    this.weights = this.ranked.map((score) => scaled.weight(score));
    const rankedAll = count !== null || this.ranked.length === scores.length;
    this.total = rankedAll ? sum(this.weights) : scaled.total;
    const reach = rule.topP < 1 ? rule.topP : number;
    if (!rankedAll && sum(this.weights) <= reach * this.total) {
      this.ranked = [...scores].sort((a, b) => b - a);
      this.weights = this.ranked.map((score) => scaled.weight(score));
      this.total = sum(this.weights);
    }
    if (rule.topP < 1) {
      // Keep the tokens up to and including the one that reaches top_p.
      const mass = rule.topP * this.total;
      const end = rankWhere(this.weights, (reached) => reached >= mass) + 1;
      this.ranked = this.ranked.slice(0, end);
      this.weights = this.weights.slice(0, end);
      this.total = sum(this.weights);
    }
  }

  /** Return the index of the token whose interval contains a number in [0, 1). */
  place(number: number): number {
    const mass = number * this.total;
    const equal = this.equal(rankWhere(this.weights, (reached) => reached > mass));
    return equal[equal.length - 1] as number;
  }

  /** Compute the probability of the token at an index; 0 if the token was removed. */
  p(place: number): number {
    const score = this.scaled.scores[place] as number;
    const last = this.ranked.length - 1;
    const lowest = this.ranked[last] as number;
    const remains = this.keepsAll || score > lowest || (score === lowest && this.equal(last).includes(place));
    return remains ? this.scaled.weight(score) / this.total : 0;
  }

  /** Return the indices of the tokens with the score of this rank, up to the token of the rank. */
  private equal(rank: number): number[] {
    const score = this.ranked[rank] as number;
    const count = rank + 1 - this.ranked.indexOf(score);
    const places: number[] = [];
    for (let place = 0; place < this.scaled.scores.length && places.length < count; place++) {
      if (this.scaled.scores[place] === score) places.push(place);
    }
    return places;
  }
}

function sum(numbers: readonly number[]): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}

/** Return the first rank whose cumulative weight satisfies a condition; the last rank if none does. */
function rankWhere(weights: readonly number[], holds: (reached: number) => boolean): number {
  let reached = 0;
  for (const [rank, weight] of weights.entries()) {
    reached += weight;
    if (holds(reached)) return rank;
  }
  return weights.length - 1;
}

/** Return the indices of the `count` highest scores, highest first, equal scores in their order. */
export function highest(scores: ArrayLike<number>, count: number): number[] {
  const places: number[] = [];
  if (count < 1) return places;
  for (let place = 0; place < scores.length; place++) {
    const score = scores[place] as number;
    if (places.length === count && score <= (scores[places[count - 1] as number] as number)) continue;
    let at = Math.min(places.length, count - 1);
    while (at > 0 && (scores[places[at - 1] as number] as number) < score) at--;
    if (places.length === count) places.pop();
    places.splice(at, 0, place);
  }
  return places;
}

/**
 * Draw one token from the raw distribution of the model.
 *
 * @param state State of the random generator; a draw takes one number, a greedy draw none.
 */
export function draw(raw: Softmax, rule: SamplingRule, state: RandomState, options: DrawOptions = {}): Draw {
  const { allowed, bias, likeliest = 5, report = [], forced } = options;
  const logits = raw.scores;
  // Mask and bias. Below, a token is identified by its place in `scores`.
  const placeOf = (token: number) => (allowed ? allowed.indexOf(token) : token);
  let scores: Scores = allowed ? Float64Array.from(allowed, (token) => logits[token] as number) : logits;
  if (bias && placeOf(bias[0]) >= 0) {
    scores = Float64Array.from(scores);
    scores[placeOf(bias[0])] = (scores[placeOf(bias[0])] as number) + bias[1];
  }
  // Temperature, top-k, top-p, draw.
  const scaled = new Softmax(scores, rule.greedy ? 1 : rule.temperature);
  const [number, after] = rule.greedy ? [null, state] : random(state);
  const remaining = new Remaining(scaled, rule, number ?? 0);
  const place = remaining.place(number ?? 0);
  const token = forced ?? (allowed ? (allowed[place] as number) : place);

  const candidate = (token: number): Candidate => {
    const p = raw.p(logits[token] as number);
    const at = placeOf(token);
    if (at < 0) return { token, p, scaled: 0, kept: 0 };
    return { token, p, scaled: scaled.p(scores[at] as number), kept: remaining.p(at) };
  };
  const asked = likeliest > 0 ? new Set([...highest(logits, likeliest), token, ...report]) : [];
  const drawn = candidate(token);
  return {
    token,
    p: drawn.p,
    p_drawn: drawn.kept,
    draw: number,
    argmax: highest(logits, 1)[0] as number,
    likeliest: [...asked].map(candidate).sort((a, b) => b.p - a.p),
    random: after,
  };
}
