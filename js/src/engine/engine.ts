/**
 * Interface of the engine: the model's loop in a page, without a kernel. `load.ts` has `loadEngine`.
 *
 *     const engine = await loadEngine("model/");
 *     const session = engine.session({ greedy: true });
 *     for await (const event of session.push(samples, 48_000)) console.log(event);
 *     for await (const event of session.finish(1)) console.log(event);
 *
 * The events are those of `ai_widgets`, field by field (docs/engine.md says how exactly).
 */
import type { SessionEvent } from "../record/events";
import type { PendingNotice } from "./admission";
import type { Manifest } from "./manifest";
import type { Settings } from "./settings";

/** Options of `loadEngine`. */
export interface EngineOptions {
  /**
   * Address of `worker.js`, by default beside the page, or a function that makes the worker; null runs the model in the
   * calling thread.
   */
  readonly worker?: string | URL | (() => Worker) | null;
  /** Address of `ort-wasm-simd-threaded.wasm`, by default beside the page; or its content. */
  readonly wasm?: string | URL | ArrayBuffer;
  /** Returns the content of a file beside the manifest; by default `fetch`. */
  readonly read?: (name: string) => Promise<ArrayBuffer>;
  /** WASM threads, 1 by default. More need a cross-origin isolated page. */
  readonly threads?: number;
  /** Receives the bytes that are loaded, and their total as soon as the manifest says it. */
  readonly progress?: (loaded: number, total: number | null) => void;
}

/** Model that is loaded. Any number of sessions share it. */
export interface Engine {
  readonly manifest: Manifest;
  readonly facts: EngineFacts;
  /**
   * Open a session.
   *
   * @throws SettingError if a setting is unknown, not allowed, or leaves the context too short.
   */
  session(settings?: SettingsChange): EngineSession;
  /**
   * Return a session in which the audio of a recording is pending, with its settings and what happened from outside, as
   * Python's `model.rerun`. A fork of it hears the recording up to the fork's chunk, and has the rest pending.
   *
   * @throws SessionError if the recording lacks settings or audio, or holds several sessions.
   * @throws SettingError if its settings are unknown, or not possible with this model.
   */
  rerun(recorded: Recorded): EngineSession;
  /** Free the model and end its worker; open sessions fail from then on. */
  close(): Promise<void>;
}

/** What runs the model, for the page's status line. */
export interface EngineFacts {
  readonly runtime: "onnxruntime-web";
  readonly version: string;
  readonly provider: "wasm";
  readonly threads: number;
  readonly worker: boolean;
  /** Time from the call to the first possible decision, in milliseconds. */
  readonly loaded_ms: number;
}

/** Some settings by name, as in Python: `{ greedy: true, seed: 7 }`. */
export type SettingsChange = Partial<Settings>;

/** What a recording says of its session. */
export interface Recorded {
  /** Settings at its beginning. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Number of sessions in it; one can be run again. */
  readonly sessions: number;
  readonly events: readonly SessionEvent[];
  /** Audio as the model heard it, at 16 kHz, from `firstChunk` on. */
  readonly samples: Float32Array;
  readonly firstChunk: number;
}

/** Origin of a block of audio; see `ai_widgets.audio.origin.Origin`. */
export interface Origin {
  /** Stream and sequence number of the block; 0 and −1 for audio that is not recorded live. */
  readonly stream: number;
  readonly seq: number;
  /** Whether the audio is from a microphone. Only such audio can be late. */
  readonly microphone: boolean;
  /** Unix time of the arrival, and age of the last sample at that time, in milliseconds. */
  readonly arrived_ms: number;
  readonly age_ms: number;
  /** Flags of every chunk that contains a sample of the block: `gated`, `waited`, `dropped`, `channels_cancel`. */
  readonly flags: readonly string[];
}

/** What a fork changes from its first chunk on. */
export interface ForkChange {
  /** First chunk that is decided again. */
  readonly chunk: number;
  readonly settings?: SettingsChange;
  /** Decision at `chunk`, or decisions by chunk. */
  readonly force?: Forced | Readonly<Record<number, Forced>>;
  /** Other audio by chunk: at most 6400 samples at 16 kHz, the index of another chunk, or null for silence. */
  readonly audio?: Readonly<Record<number, Float32Array | number | null>>;
}

export type Forced = "TEXT_BEGIN" | "KEEP_SILENCE";

/** Heading of a session's record: what a viewer needs without the model. */
export interface Heading {
  readonly model: Readonly<Record<string, unknown>>;
  readonly settings: Settings;
  readonly framing: {
    readonly prefix: readonly number[];
    readonly block: readonly number[];
    readonly limit: number;
    readonly texts: Readonly<Record<string, string>>;
  };
  readonly versions: Readonly<Record<string, string>>;
}

/**
 * One conversation with the model. Audio goes in by `push` and `finish`; each returns the events of its audio as they
 * happen, token by token. The next step runs when the next event is requested, so that a reader that stops reading
 * suspends the loop. Steps that were not read are completed by the next call.
 */
export interface EngineSession {
  readonly heading: Heading;
  /** Events so far, in order; of all but the newest 6,000 without alternatives, envelopes and log-mels. */
  readonly record: readonly SessionEvent[];
  /** Settings that apply from the next chunk on. */
  readonly settings: Settings;
  /** Why the session takes no more audio, as a sentence; null while it does. */
  readonly ended: string | null;
  /** Number of chunks heard, which is the index of the next one. */
  readonly chunks: number;
  /** Audio that is not decided yet, in seconds. */
  readonly pending_s: number;
  /** Whether a reply is in progress. */
  readonly speaking: boolean;
  /**
   * Process the next audio of the stream, of any length. NaN and infinity are replaced by 0 and flagged.
   *
   * @param samples Mono samples in [−1, 1]. They are copied.
   * @param rate Sample rate in Hz, 4000 to 384 000; it may change from block to block.
   * @throws AudioError if the samples or the rate are not allowed; none of them is heard then.
   */
  push(samples: Float32Array, rate?: number, origin?: Partial<Origin>): AsyncIterableIterator<SessionEvent>;
  /** End the recording: pad the last chunk, and append silence so that the model can reply. */
  finish(tailSilence?: number): AsyncIterableIterator<SessionEvent>;
  /** Record a notice at its place in the audio, such as one of `Admission` about audio that was dropped on arrival. */
  note(notice: PendingNotice): AsyncIterableIterator<SessionEvent>;
  /** Process the pending audio, as after a fork. */
  runOn(): AsyncIterableIterator<SessionEvent>;
  /** End the running reply after its current token; without a reply do nothing. */
  interrupt(): void;
  /**
   * Change settings; they apply from the next chunk on, which brings a notice.
   *
   * @throws SettingError if a value is not allowed; no setting is changed then.
   */
  set(changes: SettingsChange): Settings;
  /**
   * Return a session that shares the past up to a chunk, and has the audio from there on pending (`runOn`). This one is
   * not changed.
   *
   * @throws SessionError if the chunk is out of reach.
   */
  fork(change: ForkChange): Promise<EngineSession>;
  /** Return the samples of a chunk, float32 [6400] at 16 kHz; null if they are no longer kept (ten minutes). */
  audio(chunk: number): Promise<Float32Array | null>;
  /** End a running reply, drop the pending audio with a notice, and free the memory of the context. */
  close(): Promise<void>;
}
