/** State of the loop: one immutable value that each step replaces, and the marks of earlier states. */

import type { Decision, Timing } from "../record/events";
import type { Origin } from "./engine";
import { NOTHING_WATCHED, type Watched } from "./input-watch";
import { type FeaturesState, FRESH } from "./log-mel";
import type { Settings } from "./settings";
import type { TurnState } from "./turn-state";

/** Number of marks, and of chunks whose audio is kept: ten minutes, as in Python. */
export const MOST_KEPT = 1500;

/** Chunk in progress: its `Chunk` event is in the record, its decision or reply is not complete. */
export interface Work {
  readonly chunk: number;
  readonly clip: number;
  readonly frames: Float32Array;
  readonly origin: Origin;
  readonly decision: Decision | null;
  /** Tokens and slides of the reply so far. */
  readonly steps: number;
  readonly times: Times;
}

/** Durations and times of a chunk in progress, in milliseconds; `decided` is Unix time. */
export interface Times {
  readonly features: number;
  readonly tower: number;
  readonly decide: number;
  readonly reply: number;
  readonly queued: number;
  readonly waited: number;
  readonly decided: number;
}

export interface State {
  readonly progress: TurnState;
  /** Number of chunks begun. */
  readonly chunks: number;
  readonly work: Work | null;
  /** Index of the current clip, and whether a chunk of it was heard. */
  readonly clip: number;
  readonly clipOpen: boolean;
  readonly watch: Watched;
  readonly features: FeaturesState;
}

export function firstState(progress: TurnState): State {
  return {
    ...{ progress, chunks: 0, work: null, clip: 0, clipOpen: false },
    ...{ watch: NOTHING_WATCHED, features: FRESH },
  };
}

/** State before one chunk: `settings` apply to the chunk, `events` were in the record. */
export interface Mark {
  readonly state: State;
  readonly settings: Settings;
  readonly events: number;
}

/**
 * Return Unix time in milliseconds. Not that of `performance`, which some systems stop while they sleep: the caller's
 * times of arrival and capture are of this clock.
 */
export function now(): number {
  return Date.now();
}

/** Return the origin of audio that arrives now and is not from a microphone, with some facts given. */
export function originOf(given: Partial<Origin> = {}): Origin {
  return {
    ...{ stream: 0, seq: -1, microphone: false, arrived_ms: now(), age_ms: 0, flags: [] },
    ...given,
  };
}

export function timingOf({ chunk, origin, times }: Work): Timing {
  return {
    type: "timing",
    chunk,
    features_ms: times.features,
    tower_ms: times.tower,
    decide_ms: times.decide,
    reply_ms: times.reply,
    queue_ms: times.queued,
    stream: origin.stream,
    seq: origin.seq,
    arrived_ms: origin.arrived_ms,
    decided_ms: times.decided,
    encode_wait_ms: origin.microphone ? times.waited : 0,
    capture_ms: origin.microphone ? origin.age_ms : 0,
    network_ms: 0,
  };
}
