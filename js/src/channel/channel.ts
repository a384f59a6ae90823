/**
 * Interface between the views and the side that receives events. `Channel` is the part for every record, also without
 * a kernel; `SessionChannel` adds what needs a running session. `Conversation` implements both over a kernel.
 */
import type { ChunkPlayer, SoundSource } from "../playback/chunk-player";
import type { Replay } from "../playback/replay";
import type { Speech } from "../speech/speech";
import type { Problem } from "../store/problem";
import type { Changes } from "../store/settings";
import type { Store } from "../store/store";
import type { AnalysisKind, AudioChange, CloseReason, LoopMode, Pace, RecordingFormat } from "./messages";

export interface Channel extends SoundSource {
  /** State that the views render. Only the channel writes it. */
  readonly store: Store;
  /** Reading aloud of replies by the browser. */
  readonly speech: Speech;
  /** Player of single chunks. */
  readonly player: ChunkPlayer;
  /** Replay of the record with a cursor across the lanes. */
  readonly replay: Replay;
  /** Whether the record may still grow. */
  readonly ongoing: boolean;
  /** Whether audio and changes of settings are accepted now. */
  readonly ready: boolean;
  /** Forks of the session; null without a kernel. */
  readonly branching: Branching | null;
  /** Analyses with the model; null without a kernel. */
  readonly analysing: Analysing | null;
  /** Remove a problem from `store.problems`. */
  dismiss(problem: Problem): void;
}

/** What a branch changes from its first chunk on; the kernel says what is possible. */
export interface ForkRequest {
  chunk: number;
  /** The last chunk that is decided again. */
  until?: number;
  settings?: Readonly<Record<string, unknown>>;
  /** Number of chunks whose decision is forced or whose audio is another; 1 by default. */
  span?: number;
  force?: "TEXT_BEGIN" | "KEEP_SILENCE";
  audio?: AudioChange;
  /** First chunk of the other span that `swap` and `copy` name. */
  other?: number;
  /** At 16 kHz, in place of as many chunks as they fill. */
  samples?: Float32Array;
}

/** Analyses with the model; `store.analyses` has progress and results. */
export interface Analysing {
  /** Begin an analysis with changed settings of the decision; `count` is the number of seeds. */
  start(what: AnalysisKind, settings: Readonly<Record<string, unknown>>, count: number): void;
  cancel(what: AnalysisKind): void;
}

/** Forks of the session; `store.branches` holds them. */
export interface Branching {
  fork(request: ForkRequest): void;
  drop(branch: number): void;
}

/** What can be done with recordings. The answers are in the store: `recording`, `opening`, `saving`, `replayed`. */
export interface RecordingActions {
  /** Formats that `save` can write. */
  readonly formats: readonly RecordingFormat[];
  /** Show a recording of this page in place of the session. */
  open(file: File): void;
  /** End opening, or show the session again. */
  close(): void;
  /** Save the shown record to a file of the browser. */
  save(format: RecordingFormat): void;
  cancelSaving(): void;
  /** Whether `replay` is possible. */
  readonly replays: boolean;
  /** Replay the shown record with the model, or cancel the replay. */
  replay(action: "start" | "cancel"): void;
}

export interface SessionChannel extends Channel {
  readonly recordings: RecordingActions;
  /** Whether this page sends audio of a microphone or a file. */
  readonly running: boolean;
  /** Request the microphone and stream it until `stop`. */
  record(): Promise<void>;
  /** Play a file of this page to the model. */
  playFile(file: File, pace: Pace): Promise<void>;
  /** Play a clip of the package, one of `CLIPS`, to the model. */
  playClip(clip: string, pace: Pace): Promise<void>;
  /** Stop microphone or file; resolves when the last block and the close were sent. */
  stop(reason?: CloseReason): Promise<void>;
  /** Suspend or resume the audio: the stream stays open and the session's clock stops meanwhile. */
  pause(paused: boolean): void;
  /** Send silence in place of the microphone, or the microphone again. */
  mute(muted: boolean): void;
  /** End the running reply. */
  interrupt(): void;
  /** Discard the session and start a new one. */
  reset(): Promise<void>;
  /** Request other settings; `store.settings` and `store.live` have those in effect. */
  set(changes: Changes): void;
  /** Set the mode of the loop: free, paused, or one phase per `step`. */
  loop(mode: LoopMode): void;
  /** Run the next phase of a paused loop. */
  step(): void;
  /** Remove the line about a file that has ended. */
  dismissFile(): void;
}
