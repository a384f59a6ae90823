// Generated from schema/messages.json: do not edit. After a change in Python, run: make schema

import type { SessionEvent, Token } from "../record/events";

export const PROTOCOL_VERSION = 3;
export const HANDSHAKE = [1,2,3,4] as const;
export const MAX_TEXT = 500;
export const LOOP_MODES = ["run","pause","step"] as const;
export const FILE_STATES = ["opening","playing","paused","ended","stopped","failed"] as const;
export const AUDIO_SUFFIXES = [".3gp",".aac",".ac3",".aif",".aifc",".aiff",".amr",".au",".caf",".flac",".m4a",".m4b",".mka",".mkv",".mov",".mp3",".mp4",".oga",".ogg",".opus",".rf64",".snd",".w64",".wav",".webm",".wma"] as const;
export const CLIPS = [["speech_pause_speech","Two sentences with a pause"],["digit","The word seven"],["keyword","The word computer"],["interruption","One speaker interrupts another"],["rain","Rain"],["rooster","A rooster"],["alarm","An alarm"],["knocking","Knocks on a door"],["music","Music"]] as const;
export const MAX_ANSWER_FILE_BYTES = 6000000;
export const RECORDING_SUFFIX = ".aiw";
export const MAX_SEEDS = 100;
export const MAX_FORK_SAMPLES = 524288;
export const MAX_ENGINE_EVENTS = 500;
export const MAX_ENGINE_BYTES = 1000000;
export const MAX_UNDER_WAY = 8;
export const KERNEL_TYPES = ["welcome","events","ack","audio","need","playing","loop","model","reset","branch","branch_events","problem","saved","part","recording","replayed","analysed","voice","engine_files","engine_part","engine_taken","engine_control","engine_set","engine_elsewhere"] as const;

export type Pace = "fast" | "realtime";

export type LoopMode = "run" | "pause" | "step";

export type CloseReason = "stopped" | "ended" | "track_ended" | "view_removed" | "kernel_lost" | "reset" | "stalled" | "error";

export type MicPhase = "idle" | "asking" | "listening" | "paused" | "stopped" | "error";

export type FileState = "opening" | "playing" | "paused" | "ended" | "stopped" | "failed";

export type LoadingStatus = "loading" | "ready" | "failed";

export type RecordingFormat = "aiw" | "html";

export type RecordingState = "none" | "loading" | "shown";

export type ReplayState = "none" | "running" | "reproduced" | "differs" | "cancelled" | "failed";

export type AnalysisKind = "onset" | "seeds";

export type AnalysisState = "none" | "running" | "done" | "cancelled" | "failed";

export type AudioChange = "" | "mute" | "swap" | "copy" | "samples";

export type AnswerStatus = "loading" | "ready" | "running" | "done" | "failed";

export type EngineAction = "pause" | "run" | "step" | "interrupt" | "reset";

/** First message of a page, answered by `welcome`; sent with the buffer `HANDSHAKE`. */
export interface SentHello {
  readonly type: "hello";
  /** The page's `PROTOCOL_VERSION`. */
  readonly protocol: number;
  /** Number of events of `session` that the page holds. */
  readonly seen: number;
  /** Name of the page, in most messages. */
  readonly page: string;
  /** Session that the page knows, or null; of any other session than the kernel's it holds no events. */
  readonly session: number | string | null;
}

/** Beginning of a stream of a microphone. */
export interface Open {
  readonly type: "open";
  /** Number of the stream, counted up from 1 by the page. */
  readonly stream: number;
  /** Kind of the source. */
  readonly source: "mic";
  /** Name of the device, and its sample rate in Hz. */
  readonly name: string;
  readonly rate: number;
  /** Seconds of silence that follow the stream. */
  readonly tail_s: number;
  /** Name of the page, in most messages. */
  readonly page: string;
  /** The track's settings as the browser reports them, at most `MAX_TRACK_BYTES`. */
  readonly track: Readonly<Record<string, unknown>>;
}

/** Block of a stream's audio, sent with a buffer of mono little-endian samples. */
export interface SentBlock {
  readonly type: "block";
  /** Stream, and number of the block in the stream, counted from 0. */
  readonly stream: number;
  readonly seq: number;
  /** Sample rate in Hz, and type of the samples. */
  readonly rate: number;
  readonly format: "float32" | "int16";
  /** Seconds of the audio clock at the first sample. */
  readonly time_s: number;
  /** Times at which the last sample was captured and the message was sent; 0 if unknown. */
  readonly captured_ms: number;
  readonly sent_ms: number;
  /** The kernel's clock minus the page's, as the page estimates it; null if it cannot. */
  readonly offset_ms: number | null;
  /** Whether the page has silenced the block. */
  readonly gated: boolean;
  /** Name of the page, in most messages. */
  readonly page: string;
  /** Samples in base64, from a host that drops buffers. */
  readonly data?: string;
}

/** End of a stream. */
export interface Close {
  readonly type: "close";
  /** Stream, and number of blocks that were sent. */
  readonly stream: number;
  readonly blocks: number;
  /** Reason of the end. */
  readonly reason: CloseReason;
  /** Name of the page, in most messages. */
  readonly page: string;
}

/** Announcement of a file that the page holds; the kernel asks for its parts with `need`. */
export interface Play {
  readonly type: "play";
  /** Number of the stream, counted as in `open`. */
  readonly stream: number;
  /** Name of the file, and its size in bytes. */
  readonly name: string;
  readonly size: number;
  /** Pace at which it is played. */
  readonly pace: Pace;
  /** Seconds of silence that follow the file. */
  readonly tail_s: number;
  /** Name of the page, in most messages. */
  readonly page: string;
}

/** Request to play a clip of the package, which the kernel reads from its disk. */
export interface PlayClip {
  readonly type: "play_clip";
  /** Name of the clip, one of `CLIPS`. */
  readonly clip: string;
  /** Pace at which it is played. */
  readonly pace: Pace;
  /** Seconds of silence that follow the clip. */
  readonly tail_s: number;
  /** Name of the page, in most messages. */
  readonly page: string;
}

/** Answer to `need`, sent with a buffer: a part of the file that was announced with `play`. */
export interface SentBytes {
  readonly type: "bytes";
  /** Stream of the file, and offset of the part in bytes. */
  readonly stream: number;
  readonly offset: number;
  /** Reason why the browser can no longer read the file; empty if it can. */
  readonly problem: string;
  /** Name of the page, in most messages. */
  readonly page: string;
  /** Part of the file in base64, from a host that drops buffers. */
  readonly data?: string;
}

/** Request to pause, resume or stop the file that plays. */
export interface FileAction {
  readonly type: "file";
  /** What to do. */
  readonly action: "pause" | "resume" | "stop";
  /** `stopped` stops a file of any source; another reason only a file that this page holds. */
  readonly reason: CloseReason;
  /** Name of the page, in most messages. */
  readonly page: string;
}

/** State of the page's microphone. */
export interface MicState {
  readonly type: "state";
  /** Phase of the recording. */
  readonly state: MicPhase;
  /** Code of what hinders the microphone, and its sentence; both empty if nothing does. */
  readonly problem: string;
  readonly message: string;
}

/**
 * Change of settings of the session and of the widget. The synced traits answer; a `problem` answers a
 * refusal.
 */
export interface Set {
  readonly type: "set";
  /** Values by name, at most `MAX_CHANGES_BYTES`. */
  readonly changes: Readonly<Record<string, unknown>>;
  /** Number that a `problem` with the code `setting` repeats; 0 if the page needs no answer. */
  readonly request: number;
}

/** Request for the samples of a chunk, answered by `audio` with the same `request`. */
export interface Fetch {
  readonly type: "fetch";
  /** Kind of the data. */
  readonly what: "audio";
  /** Index of the chunk. */
  readonly chunk: number;
  /** Number that the answer repeats. */
  readonly request: number;
}

/** Change of the loop's mode. */
export interface Loop {
  readonly type: "loop";
  /** New mode: run freely, pause before the next phase, or do one phase for each `step`. */
  readonly mode: LoopMode;
}

/** Request for the next phase: perceive, decide or respond. */
export interface Step {
  readonly type: "step";
}

/** Request to end the running reply. */
export interface Interrupt {
  readonly type: "interrupt";
}

/** Request for a new session. */
export interface Reset {
  readonly type: "reset";
}

/** Request for the queued messages, in pull mode. */
export interface Poll {
  readonly type: "poll";
}

/** Request for a branch: the session's audio from a chunk on is decided again, with something changed. */
export interface SentFork {
  readonly type: "fork";
  /** First chunk that is decided again, and the last one; null: the last one that the session has heard. */
  readonly chunk: number;
  readonly until: number | null;
  /** Number of chunks, from the first one on, whose decision is forced or whose audio is another. */
  readonly span: number;
  /** Settings from that chunk on by name, at most `MAX_CHANGES_BYTES`. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Decision at the chunks of the span, or empty. */
  readonly force: "" | "KEEP_SILENCE" | "TEXT_BEGIN";
  /** Change of the audio of the span. */
  readonly audio: AudioChange;
  /** First chunk of the span that it is exchanged with, or whose audio is heard in its place. */
  readonly other: number;
  /** Number that the `branch` message repeats. */
  readonly request: number;
  /** Name of the page, in most messages. */
  readonly page: string;
  /**
   * Samples in base64, float32 at 16 kHz, of hosts that drop buffers; else they are a buffer. They take the
   * place of as many chunks as they fill; the last one is padded with silence.
   */
  readonly data?: string;
}

/** Request to end a branch and keep it no longer. */
export interface DropBranch {
  readonly type: "drop_branch";
  /** Number of the branch. */
  readonly branch: number;
}

/** Request to write what is shown to a file, answered by `saved`; the page asks for its parts with `part`. */
export interface Save {
  readonly type: "save";
  /** Format of the file: a recording, or an HTML page. */
  readonly format: RecordingFormat;
  /** Number that the answers repeat. */
  readonly request: number;
  /** Name of the page, in most messages. */
  readonly page: string;
}

/** Request for a part of the file that `saved` announced, answered by `part` of the kernel. */
export interface Part {
  readonly type: "part";
  /** Number of the `save`. */
  readonly request: number;
  /** Offset of the part in bytes. */
  readonly offset: number;
  /** Name of the page, in most messages. */
  readonly page: string;
}

/** Notice that the page has the file of a `save`, or no longer wants it; the kernel removes the file. */
export interface Release {
  readonly type: "release";
  /** Number of the `save`. */
  readonly request: number;
  /** Name of the page, in most messages. */
  readonly page: string;
}

/**
 * Announcement of a recording that the page holds; the kernel asks for its parts with `need` and shows it.
 */
export interface Load {
  readonly type: "load";
  /** Number of the file, counted as in `open`. */
  readonly stream: number;
  /** Name of the file, and its size in bytes. */
  readonly name: string;
  readonly size: number;
  /** Name of the page, in most messages. */
  readonly page: string;
}

/** Request to end loading a recording, or to show the session again in place of a recording. */
export interface Unload {
  readonly type: "unload";
  /** Name of the page, in most messages. */
  readonly page: string;
}

/**
 * Request to run what is shown again with the model and to compare, answered by `replayed`; or to cancel
 * that.
 */
export interface Replay {
  readonly type: "replay";
  /** What to do. */
  readonly action: "cancel" | "start";
  /** Name of the page, in most messages. */
  readonly page: string;
}

/** Request to analyse what is shown with the model, answered by `analysed`; or to cancel that. */
export interface Analyse {
  readonly type: "analyse";
  /** Kind of the analysis. */
  readonly what: AnalysisKind;
  /** What to do. */
  readonly action: "cancel" | "start";
  /** Settings of the decision that differ from the record's, at most `MAX_CHANGES_BYTES`. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Number of seeds. */
  readonly count: number;
  /** Name of the page, in most messages. */
  readonly page: string;
}

/** Request for a part of a file that `engine_files` offered, answered by `engine_part`. */
export interface EngineFile {
  readonly type: "engine_file";
  /** Name of the page, in most messages. */
  readonly page: string;
  /** Name of the file. */
  readonly name: string;
  /** Offset of the part in bytes of what is sent, so of the compressed file where it is compressed. */
  readonly offset: number;
}

/**
 * Notice that the page begins a session, answered by `engine_taken`: the kernel begins a new record for it.
 * The page owns the widget from then on; a page that owned it before is told with `engine_elsewhere`. A
 * session that the kernel has already is continued: nothing that was taken is lost.
 */
export interface EngineBegin {
  readonly type: "engine_begin";
  /** Name of the page, in most messages. */
  readonly page: string;
  /** Number of the session, counted from 1 in this page. */
  readonly session: number;
  /**
   * Settings of the session at its beginning, and of the widget, by name; each at most `MAX_CHANGES_BYTES`.
   */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly live: Readonly<Record<string, unknown>>;
  /** What computes in the page, such as `onnxruntime-web 1.30.0`, for the heading of the record. */
  readonly runtime: string;
}

/** Events of the page's session in order, and the state of its loop; answered by `engine_taken`. */
export interface EngineEvents {
  readonly type: "engine_events";
  /** Name of the page, in most messages. */
  readonly page: string;
  /** Number of the session. */
  readonly session: number;
  /** Index of the first event among those of the session. */
  readonly first: number;
  /** As in the kernel's `loop` and `events`. */
  readonly mode: LoopMode;
  readonly phase: "" | "decide" | "perceive" | "respond";
  readonly chunk: number;
  readonly waiting: number;
  /**
   * At most `MAX_ENGINE_EVENTS` events, and at most `MAX_ENGINE_BYTES` of JSON. Without events the message
   * reports the state of the loop only.
   */
  readonly events: readonly SessionEvent[];
}

/**
 * Audio of one chunk as the model heard it, sent with a buffer of 6,400 little-endian float32 samples at 16
 * kHz. Answered by `engine_taken`. Audio follows the `chunk` event that it belongs to, in order of the
 * chunks.
 */
export interface SentEngineChunk {
  readonly type: "engine_chunk";
  /** Name of the page, in most messages. */
  readonly page: string;
  /** Number of the session, and index of the chunk. */
  readonly session: number;
  readonly chunk: number;
  /** Whether the page keeps the audio no longer; the message has no buffer then. */
  readonly missing: boolean;
  /** Samples in base64, from a host that drops buffers. */
  readonly data?: string;
}

/** Answer to `hello`, for the page that sent it. All events from `first` on follow. */
export interface Welcome {
  readonly type: "welcome";
  /** The kernel's `PROTOCOL_VERSION`. */
  readonly protocol: number;
  /** Whether buffers are sent, and whether the page must poll. */
  readonly binary: boolean;
  readonly pull: boolean;
  /**
   * Number of the session, and index of the next event: `seen` of the hello, or more if too many would
   * follow.
   */
  readonly session: number;
  readonly first: number;
  /** Name of the page, and the kernel's clock. */
  readonly page: string;
  readonly now_ms: number;
  /** Status of the model. */
  readonly model: ModelInfo;
  /** Settings of the session and of the widget by name. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly live: Readonly<Record<string, unknown>>;
  /**
   * Fields of the newest messages `loop`, `playing`, `recording` and `replayed`; `file` is empty if there
   * was none.
   */
  readonly loop: Readonly<Record<string, unknown>>;
  /** As in `model`. */
  readonly tokens: Readonly<Record<string, number>>;
  readonly prefix: readonly (readonly [number, string])[];
  readonly block: readonly (readonly [string, number, number])[];
  readonly limit: number;
  /**
   * Fields of the newest messages `loop`, `playing`, `recording` and `replayed`; `file` is empty if there
   * was none.
   */
  readonly file: Readonly<Record<string, unknown>>;
  readonly recording: Readonly<Record<string, unknown>>;
  readonly replayed: Readonly<Record<string, unknown>>;
}

/** Status of the model, in `welcome` and in the trait `model_info`. */
export interface ModelInfo {
  /**
   * Progress of loading, kind and name of the model. A `policy` is a baseline without tokens, logits and
   * context.
   */
  readonly status: LoadingStatus;
  readonly kind: "model" | "policy";
  readonly name: string;
  /**
   * Sentence; or `done` and `total` in bytes while files are downloaded; of a class server, the sentence as
   * `text` and the `header` of a record.
   */
  readonly detail: string | Readonly<Record<string, unknown>>;
}

/** Events in order. */
export interface Events {
  readonly type: "events";
  /** Number of the session, and index of the first event. */
  readonly session: number;
  readonly first: number;
  /** Events of the record. */
  readonly events: readonly SessionEvent[];
  /** Number of chunks that have arrived and are not yet decided. */
  readonly waiting: number;
  /** The kernel's clock. */
  readonly now_ms: number;
}

/** Newest block that the pipeline took up. */
export interface Ack {
  readonly type: "ack";
  /** Stream and number of the block. */
  readonly stream: number;
  readonly seq: number;
  /** The kernel's clock. */
  readonly now_ms: number;
}

/** Answer to `fetch`, with the samples of a chunk in a buffer. */
export interface Audio {
  readonly type: "audio";
  /** As in the `fetch`. */
  readonly chunk: number;
  readonly request: number;
  /** Sample rate in Hz, and type of the samples. */
  readonly rate: number;
  readonly format: "int16";
  /** Whether the samples are still kept. */
  readonly ok: boolean;
  /** Samples in base64, to a host that drops buffers. */
  readonly data?: string;
}

/** Request for a part of the file that `play` announced. */
export interface Need {
  readonly type: "need";
  /** Stream of the file, and the part in bytes. */
  readonly stream: number;
  readonly offset: number;
  readonly length: number;
  /** Name of the page that holds the file. */
  readonly page: string;
}

/** Position of the file that plays. */
export interface Playing {
  readonly type: "playing";
  /** Name of the file, and the page that holds it; empty if the kernel reads it from disk. */
  readonly name: string;
  readonly page: string;
  /** State of the file, and its pace. */
  readonly state: FileState;
  readonly pace: Pace;
  /** Decided seconds, and length in seconds; null if unknown. */
  readonly position_s: number;
  readonly seconds: number | null;
  /** Speed in multiples of real time, and seconds until the end; null if unknown. */
  readonly speed: number | null;
  readonly left_s: number | null;
}

/** State of the loop. */
export interface LoopState {
  readonly type: "loop";
  /** Mode of the loop. */
  readonly mode: LoopMode;
  /** Phase that runs or was done last, and its chunk; empty and −1 before the first. */
  readonly phase: string;
  readonly chunk: number;
  /** Number of chunks that have arrived and are not yet decided. */
  readonly waiting: number;
}

/** Status of the model, and its tokens. */
export interface ModelStatus {
  readonly type: "model";
  /** As in `ModelInfo`. */
  readonly status: LoadingStatus;
  readonly kind: "model" | "policy";
  readonly name: string;
  readonly detail: string | Readonly<Record<string, unknown>>;
  /** Ids of the special tokens by name. */
  readonly tokens: Readonly<Record<string, number>>;
  /** Id and text of each token that an empty context begins with. */
  readonly prefix: readonly (readonly [number, string])[];
  /** Name, id and count of each part of a chunk's block of tokens; encoder frames have the name FRAMES. */
  readonly block: readonly (readonly [string, number, number])[];
  /** Positions of the context; 0 until the model is loaded. */
  readonly limit: number;
}

/** Beginning of a new session, or of another record that is shown: the page discards the old events. */
export interface NewSession {
  readonly type: "reset";
  /** Number of the new session. */
  readonly session: number;
  /** Index of the next event: above 0 where too many would follow. */
  readonly first: number;
}

/** State of a branch: a fork of the session that runs beside it. */
export interface BranchState {
  readonly type: "branch";
  /** Number of the branch, and of the `fork` that asked for it; 0 for Python. */
  readonly branch: number;
  readonly request: number;
  /** First chunk that is decided again, and the last one; null: the last one that the session had heard. */
  readonly chunk: number;
  readonly until: number | null;
  /** What it changes, in words. */
  readonly changed: string;
  /** State of the branch; `dropped`: it is kept no longer. */
  readonly state: "cancelled" | "done" | "failed" | "queued" | "running" | "dropped";
  /**
   * First decision, token or reply that differs from the original's, in words, and its chunk; empty and null
   * if there is none, or the branch has not ended.
   */
  readonly first_difference: string;
  readonly differs_at: number | null;
  /** Sentence of what it failed with, or empty. */
  readonly message: string;
}

/** Events of a branch in order, without those that it shares with the original. */
export interface BranchEvents {
  readonly type: "branch_events";
  /** Number of the branch, and index of the first event among its own. */
  readonly branch: number;
  readonly first: number;
  /** Events of its record. */
  readonly events: readonly SessionEvent[];
}

/** Problem in one sentence. */
export interface Problem {
  readonly type: "problem";
  /** Word for programs, and the sentence. */
  readonly code: string;
  readonly message: string;
  /** Traceback, or empty. */
  readonly detail: string;
  /** Page that it is for; empty for all. */
  readonly page: string;
  /** Settings that it is about. */
  readonly names: readonly string[];
  /** Number of the request that it answers; 0 for none. */
  readonly request: number;
  /** Number of problems of its code that this message stands for. */
  readonly times: number;
}

/** Answer to `save`: the file is written. */
export interface Saved {
  readonly type: "saved";
  /** As in the `save`. */
  readonly request: number;
  readonly page: string;
  /** Proposed name of the file, and its size in bytes. */
  readonly name: string;
  readonly size: number;
  /** Sentence on what the file lacks, or empty. */
  readonly note: string;
  /** Sentence that says why there is no file, or empty. */
  readonly problem: string;
}

/** Answer to `part` of a page, with the part in a buffer. */
export interface FilePart {
  readonly type: "part";
  /** As in the `part`. */
  readonly request: number;
  readonly page: string;
  readonly offset: number;
  /** Whether the file is still there. */
  readonly ok: boolean;
  /** Part of the file in base64, to a host that drops buffers. */
  readonly data?: string;
}

/** Recording that is shown in place of the session, or that is being read. */
export interface Recording {
  readonly type: "recording";
  /** `none`: the session is shown. */
  readonly state: RecordingState;
  /** Name of the file. */
  readonly name: string;
  /** Bytes that were read, and size of the file. */
  readonly done: number;
  readonly total: number;
  /** Model, device and date, each a short text. */
  readonly facts: readonly string[];
  /** As in `model`, of the model that made the recording. */
  readonly tokens: Readonly<Record<string, number>>;
  readonly prefix: readonly (readonly [number, string])[];
  readonly block: readonly (readonly [string, number, number])[];
  readonly limit: number;
}

/** Progress or result of a replay of what is shown. */
export interface Replayed {
  readonly type: "replayed";
  /** `none`: nothing was replayed since this record is shown. */
  readonly state: ReplayState;
  /** Chunks that were heard again, and those of the record. */
  readonly done: number;
  readonly total: number;
  /** Chunk of the first difference; −1 if there is none. */
  readonly chunk: number;
  /** What differs and by how much, how many decisions and tokens are the same, or why there is no result. */
  readonly message: string;
}

/** Progress or result of an analysis of what is shown. */
export interface Analysed {
  readonly type: "analysed";
  /** Kind of the analysis; `none`: there is no result of it for this record. */
  readonly what: AnalysisKind;
  readonly state: AnalysisState;
  /** Chunks that were heard, in all runs, and that are to be heard. */
  readonly done: number;
  readonly total: number;
  /** Sentence that says why there is no result, or empty. */
  readonly message: string;
  /** Result of the kind, or null. */
  readonly onset: OnsetCurve | null;
  readonly seeds: SeedRaster | null;
}

/** Onset curve: the page computes the probability of the first reply from the hazards. */
export interface OnsetCurve {
  /** Settings of the decision that differ from the record's. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Chunks, and the probability of a reply after each if there was none before. */
  readonly chunk: readonly number[];
  readonly hazard: readonly number[];
}

/** Decisions by seed. */
export interface SeedRaster {
  /** Settings that differ from the record's, without the seed. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Seeds, in the order of the rows. */
  readonly seeds: readonly number[];
  /** By seed, the chunks after which a reply began. */
  readonly begun: readonly (readonly number[])[];
  /** By seed, the number of decided chunks. */
  readonly decided: readonly number[];
}

/** Part of the sound of a reply, which text-to-speech in the kernel made, with the samples in a buffer. */
export interface Voice {
  readonly type: "voice";
  /** Index of the reply in the session. */
  readonly turn: number;
  /** Page that plays it. */
  readonly page: string;
  /** Sample rate in Hz, and type of the samples. */
  readonly rate: number;
  readonly format: "int16";
  /** Index of this part, and number of parts, which follow in order. */
  readonly part: number;
  readonly parts: number;
  /** Samples in base64, to a host that drops buffers. */
  readonly data?: string;
}

/** List of the engine's files, sent when the model is loaded and exported, and after each later `welcome`. */
export interface EngineFiles {
  readonly type: "engine_files";
  /** All files. A page keeps each under its `sha256`, and asks only for those that it lacks. */
  readonly files: readonly OfferedFile[];
}

/** File of the engine that a page may ask for. */
export interface OfferedFile {
  /** Name of the file, with its folder as in a static page. */
  readonly name: string;
  /** Size and SHA-256 (hexadecimal) of what is sent. */
  readonly bytes: number;
  readonly sha256: string;
  /** Whether it is sent compressed with gzip. */
  readonly gzip: boolean;
}

/** Answer to `engine_file`, with at most `MAX_RANGE_BYTES` of the file in a buffer. */
export interface EnginePart {
  readonly type: "engine_part";
  /** As in the `engine_file`. */
  readonly page: string;
  readonly name: string;
  readonly offset: number;
  /** Whether the file ends with this part. */
  readonly last: boolean;
  /** Whether there is such a part; without it the message has no buffer. */
  readonly ok: boolean;
  /** Part of the file in base64, to a host that drops buffers. */
  readonly data?: string;
}

/** Acknowledgement: what the kernel has of a session. The page continues from there. */
export interface EngineTaken {
  readonly type: "engine_taken";
  /** Name of the page, and number of its session. */
  readonly page: string;
  readonly session: number;
  /** Whether the kernel has this session; if not, the page sends `engine_begin` first. */
  readonly begun: boolean;
  /** Number of events, and of chunks whose audio was taken or is missing. */
  readonly events: number;
  readonly chunks: number;
  /**
   * Sentence that says why a message of this session was refused, or empty. Where `refused` is true the page
   * sends no more of this session.
   */
  readonly problem: string;
  /** Whether the session cannot be continued: what the page sent at this place is no valid session. */
  readonly refused: boolean;
}

/** Request of Python to the page that owns the widget; before a page owns it, to all pages. */
export interface EngineControl {
  readonly type: "engine_control";
  /** Name of the page, or empty. */
  readonly page: string;
  /** What the session in the page should do. */
  readonly action: EngineAction;
}

/** Change of settings by Python, for the page that owns the widget; before a page owns it, for all pages. */
export interface EngineSet {
  readonly type: "engine_set";
  /** Name of the page, or empty. */
  readonly page: string;
  /** Values by name, which the kernel has checked. */
  readonly changes: Readonly<Record<string, unknown>>;
}

/**
 * Notice that a page no longer owns the widget, since another page began a session: it ends its recording.
 */
export interface EngineElsewhere {
  readonly type: "engine_elsewhere";
  /** Name of the page that owned it. */
  readonly page: string;
}

/** Request for an answer to a clip of the package, or to a file of the page. */
export interface Ask {
  readonly type: "ask";
  /** Name of the clip, one of `CLIPS`; empty for a file. */
  readonly clip: string;
  /** Name of the file, and its bytes as base64. */
  readonly name: string;
  readonly data: string;
  /** Request or question; empty for none. */
  readonly text: string;
}

/** Request to end the answer that is drawn. */
export interface Cancel {
  readonly type: "cancel";
}

/** State of an `AnswerView`, the value of its trait `answer`. */
export interface Answered {
  /** What the widget does. */
  readonly state: AnswerStatus;
  /** Name of the model. */
  readonly model: string;
  /** Name of the clip or file, and the request. */
  readonly heard: string;
  readonly asked: string;
  /** Tokens of the answer so far. */
  readonly tokens: readonly Token[];
  /** Emotion at its start, or empty. */
  readonly emotion: string;
  /** How it ended, or empty. */
  readonly ended: string;
  /** Sentences that a reader should know. */
  readonly notes: readonly string[];
  /** Why the last request could not be answered; empty if it could. */
  readonly problem: string;
}

export type AnswerRequest = Ask | Cancel;

export type BrowserMessage = SentHello | Open | SentBlock | Close | Play | PlayClip | SentBytes | FileAction | MicState | Set | Fetch | Loop | Step | Interrupt | Reset | Poll | SentFork | DropBranch | Save | Part | Release | Load | Unload | Replay | Analyse | EngineFile | EngineBegin | EngineEvents | SentEngineChunk;

export type KernelMessage = Welcome | Events | Ack | Audio | Need | Playing | LoopState | ModelStatus | NewSession | BranchState | BranchEvents | Problem | Saved | FilePart | Recording | Replayed | Analysed | Voice | EngineFiles | EnginePart | EngineTaken | EngineControl | EngineSet | EngineElsewhere;
