/** What follows the sessions of a page with an engine, to deliver them elsewhere: in a notebook, the kernel's record. */
import type { BrowserMessage } from "../channel/messages";
import type { SessionEvent } from "../record/events";
import type { Values } from "../store/settings";
import type { Gate } from "./gate";
import type { KeptEvents } from "./kept-events";

export interface FollowedSession {
  /** 1, 2, … in this page. */
  readonly number: number;
  /** What computes it, such as `onnxruntime-web 1.30.0`. */
  readonly runtime: string;
  /** Settings at its beginning. */
  readonly settings: Values;
  readonly kept: KeptEvents;
  readonly gate: Gate;
  /** Number of chunks that have arrived and are not decided yet. */
  waiting(): number;
  /** Return the samples of a chunk, float32 [6400] at 16 kHz; null if they are no longer kept. */
  audio(chunk: number): Promise<Float32Array | null>;
}

export interface Follower {
  /** Take a new session, which replaces the one before. */
  began(session: FollowedSession): void;
  /** Take events that were added to the newest session's. */
  added(events: readonly SessionEvent[]): void;
  /** Note that the loop's mode or phase changed. */
  moved(): void;
  /** Take the state of the microphone. */
  told(message: Extract<BrowserMessage, { type: "state" }>): void;
}
