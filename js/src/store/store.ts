/** State of the front end, in one place. All views render these signals; only the channel writes them. */

import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { FileState, ModelInfo, SentHello } from "../channel/messages";
import { completeEvent } from "../record/complete-event";
import { CHUNK_SECONDS, type SessionEvent } from "../record/events";
import { LatencyProbe } from "../record/latency-probe";
import { applyEvent, emptyRecord, type SessionRecord } from "../record/record";
import { NO_VOCABULARY, type Vocabulary } from "../record/vocabulary";
import type { Analyses } from "./analyses";
import type { Branch } from "./branch";
import { MIC_IDLE, type MicEvent, type MicState, micReducer } from "./mic-state";
import { isPlaying, type PlayingFile } from "./playing";
import type { Problem } from "./problem";
import type { OpeningRecording, ReplayCheck, Saving, ShownRecording } from "./recording";
import {
  type Changes,
  type Counters,
  type LiveSettings,
  LOOP_RUNNING,
  type LoopState,
  NOTHING_COUNTED,
  type Setting,
  UNTOLD_LIVE,
  type Values,
} from "./settings";

/** Id of one session of the kernel; compared, never interpreted. */
export type SessionId = NonNullable<SentHello["session"]>;

/** State of the connection to the kernel. */
export type LineState = "connecting" | "waiting" | "ready" | "lost";

/** State in the state pill and in `data-state`. */
export type ShownState = "idle" | "asking" | "listening" | "speaking" | "paused" | "stopped" | "error";

/** Level of the newest block. */
export interface Level {
  peak: number;
  rms: number;
}

/** Selectable microphone. */
export interface Device {
  id: string;
  name: string;
}

export interface Store {
  /** Where the model runs, which the views name. */
  readonly runsIn: "kernel" | "page";
  /** Whether the page's sessions are recorded in a kernel too. */
  readonly mirrored: boolean;
  /** Changed in place; readers subscribe to `version`, the number of its changes. */
  record: SessionRecord;
  session: SessionId | null;
  /** Changes with every block, so only the meter depends on it. */
  readonly level: Signal<Level>;
  readonly version: Signal<number>;
  readonly line: Signal<LineState>;
  readonly model: Signal<ModelInfo>;
  readonly mic: Signal<MicState>;
  /** File that plays, or played last in this session: of this page, of another page, or of the kernel's disk. */
  readonly file: Signal<PlayingFile | null>;
  /** The recording that is shown in place of the session; null while the session is shown. */
  readonly recording: Signal<ShownRecording | null>;
  /** A recording that the kernel is reading. */
  readonly opening: Signal<OpeningRecording | null>;
  /** The replay of what is shown: in progress, or its result. */
  readonly replayed: Signal<ReplayCheck | null>;
  /** Analyses of what is shown. */
  readonly analyses: Signal<Analyses>;
  /** A file that is being saved for this page. */
  readonly saving: Signal<Saving | null>;
  /** Number of chunks that have arrived at the kernel and are not decided yet, from its newest message. */
  readonly kernelWaiting: Signal<number>;
  /** Number of chunks that this page has sent and the kernel has not acknowledged: a busy kernel cannot report. */
  readonly untaken: Signal<number>;
  /** Number of waiting chunks, under way or at the kernel. */
  readonly waiting: ReadonlySignal<number>;
  /** Seconds between now and the capture of the newest decided chunk, less the chunk that is being recorded. */
  readonly captureLag: Signal<number>;
  /** Lag of the decisions behind the microphone, in seconds: the larger of the page's and the kernel's value. */
  readonly lag: ReadonlySignal<number>;
  /** State from the kernel's synced trait, which is shown while this page does not record. */
  readonly kernelState: Signal<string>;
  /** Seconds of audio sent in the stream that is open or was open last. */
  readonly sentSeconds: Signal<number>;
  readonly problems: Signal<readonly Problem[]>;
  /** Forks of the session, oldest first, and a count of the changes of their records. */
  readonly branches: Signal<readonly Branch[]>;
  readonly branchVersion: Signal<number>;
  /** Settings of the session from the kernel's trait; null before the first value. */
  readonly settings: Signal<Values | null>;
  /** Settings that the kernel declares; empty before it does. */
  readonly schema: Signal<readonly Setting[]>;
  readonly live: Signal<LiveSettings>;
  readonly loop: Signal<LoopState>;
  readonly counters: Signal<Counters>;
  /** Requested changes without an answer. They are never shown as values in effect. */
  readonly pending: Signal<Changes>;
  /** The kernel's sentence on each refused change, by the setting's name. */
  readonly refused: Signal<Readonly<Record<string, string>>>;
  /** Names of special tokens and the session's prefix, from the kernel's welcome. */
  readonly vocabulary: Signal<Vocabulary>;
  /** Whether the saved history is shown: no kernel has answered, and nothing can be recorded. */
  readonly saved: Signal<boolean>;
  /** Microphones by name, known after permission was given. */
  readonly devices: Signal<readonly Device[]>;
  /** Settings of the open microphone's track as the browser reports them: rate, echo cancellation and others. */
  readonly track: Signal<Readonly<Record<string, unknown>> | null>;
  /** Whether the user has muted the microphone. */
  readonly muted: Signal<boolean>;
  /** Whether a reply is being read aloud. */
  readonly readingAloud: Signal<boolean>;
  /** Whether a microphone is open: the recording light. */
  readonly micOpen: ReadonlySignal<boolean>;
  /** Measures the browser's parts of each chunk's latency, and writes them into the record. */
  readonly latency: LatencyProbe;
  /** Newest finished reply, for screen readers. */
  readonly announcement: Signal<string>;
  readonly speaking: ReadonlySignal<boolean>;
  readonly shown: ReadonlySignal<ShownState>;
  /** Seconds of audio in this session: heard, waiting, or sent. */
  readonly seconds: ReadonlySignal<number>;
}

function isKernelState(state: string): state is "listening" | "stopped" | "error" {
  return state === "listening" || state === "stopped" || state === "error";
}

const FILE_SHOWN: Partial<Record<FileState, ShownState>> = { opening: "asking", paused: "paused" };

export function createStore(runsIn: Store["runsIn"] = "kernel", mirrored = false): Store {
  const mic = signal(MIC_IDLE);
  const file = signal<PlayingFile | null>(null);
  const version = signal(0);
  const line = signal<LineState>("connecting");
  const kernelState = signal("idle");
  const saved = signal(false);
  const speaking = computed(() => version.value >= 0 && store.record.speaking);
  const shown = computed<ShownState>(() => {
    if (line.value === "lost" || mic.value.phase === "error") return "error";
    // Any state of the kernel at the time of saving has ended.
    if (saved.value) return "stopped";
    if (speaking.value) return "speaking";
    if (isPlaying(file.value)) return FILE_SHOWN[file.value.state] ?? "listening";
    // Audio may come from Python, or may have arrived before the page was loaded.
    const { phase } = mic.value;
    return phase === "idle" && isKernelState(kernelState.value) ? kernelState.value : phase;
  });
  const kernelWaiting = signal(0);
  const untaken = signal(0);
  const waiting = computed(() => Math.max(kernelWaiting.value, untaken.value));
  const captureLag = signal(0);
  const counters = signal(NOTHING_COUNTED);
  const lag = computed(() =>
    waiting.value > 0 ? Math.max(counters.value.lag_s, captureLag.value) : counters.value.lag_s,
  );
  const sentSeconds = signal(0);
  const track = signal<Readonly<Record<string, unknown>> | null>(null);
  const seconds = computed(() => {
    const chunks = version.value >= 0 ? store.record.chunks.length : 0;
    // The kernel reads a file a few chunks ahead of the decisions; the page shows its position instead of a lag.
    const ahead = isPlaying(file.value) ? 0 : waiting.value;
    return Math.max((chunks + ahead) * CHUNK_SECONDS, sentSeconds.value);
  });
  const store: Store = {
    runsIn,
    mirrored,
    record: emptyRecord(),
    session: null,
    level: signal<Level>({ peak: 0, rms: 0 }),
    version,
    line,
    model: signal<ModelInfo>({ status: "loading", kind: "model", name: "", detail: "" }),
    mic,
    file,
    recording: signal(null),
    opening: signal(null),
    replayed: signal(null),
    analyses: signal({}),
    saving: signal(null),
    kernelWaiting,
    untaken,
    waiting,
    captureLag,
    lag,
    kernelState,
    sentSeconds,
    problems: signal([]),
    branches: signal([]),
    branchVersion: signal(0),
    settings: signal(null),
    schema: signal([]),
    live: signal(UNTOLD_LIVE),
    loop: signal(LOOP_RUNNING),
    counters,
    pending: signal({}),
    refused: signal({}),
    vocabulary: signal(NO_VOCABULARY),
    saved,
    devices: signal([]),
    track,
    muted: signal(false),
    readingAloud: signal(false),
    micOpen: computed(() => track.value !== null),
    latency: new LatencyProbe(() => store.record),
    announcement: signal(""),
    speaking,
    shown,
    seconds,
  };
  return store;
}

/** Add events in order; views are notified once, for any number of events. */
export function addEvents(store: Store, events: readonly SessionEvent[]): void {
  if (events.length === 0) return;
  const now_ms = Date.now();
  const hidden = globalThis.document?.visibilityState === "hidden";
  let finished = "";
  for (const written of events) {
    const event = completeEvent(written);
    applyEvent(store.record, event, store.vocabulary.value);
    // What is recorded was measured and announced when it happened.
    if (store.recording.value) continue;
    store.latency.take(event, now_ms, hidden);
    if (event.type === "turn") finished = event.text;
  }
  batch(() => {
    if (finished) store.announcement.value = finished;
    store.version.value += 1;
  });
}

/** Show a saved record. It is not the kernel's: the first welcome replaces it. */
export function showSaved(store: Store, record: SessionRecord): void {
  batch(() => {
    store.record = record;
    store.saved.value = true;
    store.version.value += 1;
  });
}

/** Replace the record by an empty one at the beginning of a session. */
export function clearRecord(store: Store, session: SessionId | null): void {
  batch(() => {
    store.record = emptyRecord();
    store.saved.value = false;
    store.session = session;
    store.latency.clear();
    store.kernelWaiting.value = 0;
    store.file.value = null;
    store.branches.value = [];
    store.analyses.value = {};
    store.announcement.value = "";
    store.version.value += 1;
  });
}

/** Apply one microphone event; return whether anything changed. */
export function moveMic(store: Store, event: MicEvent): boolean {
  const before = store.mic.value;
  store.mic.value = micReducer(before, event);
  return store.mic.value !== before;
}

/** Show a problem, replacing one with the same code; equal sentences are counted. */
export function showProblem(store: Store, problem: Problem): void {
  const before = store.problems.value.find((other) => other.code === problem.code);
  const again = before?.sentence === problem.sentence ? (before.times ?? 1) + (problem.times ?? 1) : 0;
  const others = store.problems.value.filter((other) => other !== before);
  store.problems.value = [...others, again > 0 ? { ...problem, times: again } : problem];
}

export function dismissProblem(store: Store, code: string): void {
  const kept = store.problems.value.filter((problem) => problem.code !== code);
  if (kept.length !== store.problems.value.length) store.problems.value = kept;
}
