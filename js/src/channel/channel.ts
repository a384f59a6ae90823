/**
 * The interface between what is drawn and the side that decides. `Channel` is what every record offers, also one without
 * a kernel; `SessionChannel` adds what needs a session that runs. `Conversation` implements both over a kernel.
 */
import type { ChunkPlayer, SoundSource } from "../playback/chunk-player";
import type { Replay } from "../playback/replay";
import type { Speech } from "../speech/speech";
import type { Problem } from "../store/problem";
import type { Changes } from "../store/settings";
import type { Store } from "../store/store";
import type { CloseReason, LoopMode, Pace } from "./messages";

export interface Channel extends SoundSource {
  /** The state that views draw. Only the channel writes it. */
  readonly store: Store;
  /** Replies read aloud by the browser. */
  readonly speech: Speech;
  /** Plays the sound of single chunks. */
  readonly player: ChunkPlayer;
  /** Plays the record's sound with a cursor across the lanes. */
  readonly replay: Replay;
  /** Whether a session may still go on: its record grows. */
  readonly ongoing: boolean;
  /** Whether audio and changes of settings can be taken now. */
  readonly ready: boolean;
  /** Removes a problem from `store.problems`. */
  dismiss(problem: Problem): void;
}

export interface SessionChannel extends Channel {
  /** Whether audio of this page, microphone or file, is being sent. */
  readonly running: boolean;
  /** Asks for the microphone and streams it until `stop`. */
  record(): Promise<void>;
  /** Has a file of this page played to the model. */
  playFile(file: File, pace: Pace): Promise<void>;
  /** Stops microphone or file; resolves when the last block and the close were sent. */
  stop(reason?: CloseReason): Promise<void>;
  /** Suspends or resumes the audio: the stream stays open and the session's clock stands. */
  pause(paused: boolean): void;
  /** Sends silence in place of the microphone, or the microphone again. */
  mute(muted: boolean): void;
  /** Ends the reply that is being generated. */
  interrupt(): void;
  /** Discards the session and starts a new one. */
  reset(): Promise<void>;
  /** Asks for other settings; `store.settings` and `store.live` say which hold. */
  set(changes: Changes): void;
  /** Sets how the loop runs: by itself, paused, or one phase per `step`. */
  loop(mode: LoopMode): void;
  /** Runs the next phase of a paused loop. */
  step(): void;
  /** Removes the line about a file that has ended. */
  dismissFile(): void;
}
