/**
 * Game "predict first": before a decision is shown, the learner guesses whether the model keeps silent or speaks, and
 * after which chunk. Pure functions; the panel renders their results.
 */

/** Guess of the learner. */
export interface Guess {
  /** Chunk at which the guess was made. */
  chunk: number;
  /** First chunk after which the model is expected to speak; null if it is expected to keep silent at this chunk. */
  from: number | null;
}

export type Outcome = "hit" | "miss" | "false alarm" | "silence";

export interface Reveal {
  chunk: number;
  spoke: boolean;
  outcome: Outcome;
  /**
   * Distance in chunks from the nearest guess to the reply: below 0 too early, above 0 too late; null without a
   * guess.
   */
  off: number | null;
}

export interface Score {
  hits: number;
  misses: number;
  falseAlarms: number;
  silences: number;
  /** `off` of each reply that had a guess. */
  offs: readonly number[];
}

export interface Game {
  /** Chunk of the next decision. */
  next: number;
  guess: Guess | null;
  /** False alarms since the last reply: a reply soon after them was expected too early. */
  alarms: readonly number[];
  score: Score;
  last: Reveal | null;
}

export const NO_SCORE: Score = { hits: 0, misses: 0, falseAlarms: 0, silences: 0, offs: [] };

/** Return a game that continues at chunk `next`, with the score so far. */
export function gameAt(next: number, score: Score = NO_SCORE): Game {
  return { next, guess: null, alarms: [], score, last: null };
}

/** Set the guess: silent, or speaking after `ahead` more chunks (0: after this one). */
export function guessed(game: Game, ahead: number | null): Game {
  const from = ahead === null ? null : game.next + ahead;
  return { ...game, guess: { chunk: game.next, from } };
}

/** Return whether the guess applies to the next decision. A guess for a later chunk applies until then. */
export function isGuessed({ guess, next }: Game): boolean {
  if (!guess) return false;
  return guess.chunk === next || (guess.from !== null && guess.from >= next);
}

/** Reveal the next decision. Without a guess for it, the game only advances. */
export function revealed(game: Game, spoke: boolean): Game {
  const { next, guess, score } = game;
  if (!guess || !isGuessed(game)) {
    return { ...game, next: next + 1, guess: null, alarms: spoke ? [] : game.alarms, last: null };
  }
  const expected = guess.from === next;
  const outcome: Outcome = spoke ? (expected ? "hit" : "miss") : expected ? "false alarm" : "silence";
  const candidates = guess.from === null ? game.alarms : [...game.alarms, guess.from];
  const off = spoke ? nearest(candidates, next) : null;
  const done = spoke || expected;
  return {
    next: next + 1,
    guess: done || guess.from === null ? null : guess,
    alarms: spoke ? [] : expected ? [...game.alarms, next] : game.alarms,
    score: counted(score, outcome, off),
    last: { chunk: next, spoke, outcome, off },
  };
}

function counted(score: Score, outcome: Outcome, off: number | null): Score {
  return {
    hits: score.hits + Number(outcome === "hit"),
    misses: score.misses + Number(outcome === "miss"),
    falseAlarms: score.falseAlarms + Number(outcome === "false alarm"),
    silences: score.silences + Number(outcome === "silence"),
    offs: off === null ? score.offs : [...score.offs, off],
  };
}

/** Return the signed distance from `chunk` to the nearest candidate. */
function nearest(candidates: readonly number[], chunk: number): number | null {
  let best: number | null = null;
  for (const candidate of candidates) {
    const off = candidate - chunk;
    if (best === null || Math.abs(off) < Math.abs(best)) best = off;
  }
  return best;
}

/** Return the mean absolute distance in chunks; null before the first reply. */
export function meanOff({ offs }: Score): number | null {
  if (offs.length === 0) return null;
  return offs.reduce((sum, off) => sum + Math.abs(off), 0) / offs.length;
}
