/** The one state of the front end. Everything on screen is drawn from these signals; only the channel writes them. */

import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { FileState, ModelInfo, SentHello } from "../channel/messages";
import { completeEvent } from "../record/complete-event";
import { CHUNK_SECONDS, type SessionEvent } from "../record/events";
import { LatencyProbe } from "../record/latency-probe";
import { applyEvent, emptyRecord, type SessionRecord } from "../record/record";
import { NO_VOCABULARY, type Vocabulary } from "../record/vocabulary";
import { MIC_IDLE, type MicEvent, type MicState, micReducer } from "./mic-state";
import { isPlaying, type PlayingFile } from "./playing";
import type { Problem } from "./problem";
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

/** Identifies one session of the kernel; compared, never interpreted. */
export type SessionId = NonNullable<SentHello["session"]>;

/** How the line to the kernel stands. */
export type LineState = "connecting" | "waiting" | "ready" | "lost";

/** What the state pill says, and `data-state`. */
export type ShownState = "idle" | "asking" | "listening" | "speaking" | "paused" | "stopped" | "error";

/** Level of the newest block. */
export interface Level {
  peak: number;
  rms: number;
}

/** A microphone that may be chosen. */
export interface Device {
  id: string;
  name: string;
}

export interface Store {
  /** Grows in place; readers subscribe to `version`, which counts its changes. */
  record: SessionRecord;
  session: SessionId | null;
  /** Nothing but the meter depends on it: it changes with every block. */
  readonly level: Signal<Level>;
  readonly version: Signal<number>;
  readonly line: Signal<LineState>;
  readonly model: Signal<ModelInfo>;
  readonly mic: Signal<MicState>;
  /** The file that plays, or played last in this session: this page's, another's, or one on the kernel's disk. */
  readonly file: Signal<PlayingFile | null>;
  /** Chunks that have arrived at the kernel and are not decided yet, as its newest message says. */
  readonly kernelWaiting: Signal<number>;
  /** Chunks that this page has sent and the kernel has not taken up: it may be busy, and cannot say so. */
  readonly untaken: Signal<number>;
  /** Chunks that wait, on their way or at the kernel. */
  readonly waiting: ReadonlySignal<number>;
  /** Seconds between now and the capture of the newest decided chunk, less the chunk that is being recorded. */
  readonly captureLag: Signal<number>;
  /** How far decisions are behind the microphone, in seconds: the larger of what page and kernel know. */
  readonly lag: ReadonlySignal<number>;
  /** State of the kernel's side, from its synced trait: what goes on where this page records nothing. */
  readonly kernelState: Signal<string>;
  /** Seconds of audio sent in the stream that is open, or was last. */
  readonly sentSeconds: Signal<number>;
  readonly problems: Signal<readonly Problem[]>;
  /** The session's settings as the kernel's trait says; null before it says anything. */
  readonly settings: Signal<Values | null>;
  /** Which settings there are, as the kernel declares them; empty before it does. */
  readonly schema: Signal<readonly Setting[]>;
  readonly live: Signal<LiveSettings>;
  readonly loop: Signal<LoopState>;
  readonly counters: Signal<Counters>;
  /** Changes that the kernel was asked for and has not answered. Nothing shows them as if they held. */
  readonly pending: Signal<Changes>;
  /** The kernel's sentence on a change that it refused, by the setting's name. */
  readonly refused: Signal<Readonly<Record<string, string>>>;
  /** Names of special tokens and the session's prefix, as the kernel's welcome gave them. */
  readonly vocabulary: Signal<Vocabulary>;
  /** What is shown comes from the saved history: no kernel has answered, and nothing can be recorded. */
  readonly saved: Signal<boolean>;
  /** Microphones by name, known once permission was given. */
  readonly devices: Signal<readonly Device[]>;
  /** What the browser says of the open microphone's track: rate, echo cancellation and the like. */
  readonly track: Signal<Readonly<Record<string, unknown>> | null>;
  /** Whether the microphone is muted, by the person. */
  readonly muted: Signal<boolean>;
  /** Whether a reply is being read aloud. */
  readonly readingAloud: Signal<boolean>;
  /** Whether a microphone is open: the recording light. */
  readonly micOpen: ReadonlySignal<boolean>;
  /** Measures the browser's parts of each chunk's latency and writes them into the record. */
  readonly latency: LatencyProbe;
  /** The newest finished reply, for screen readers. */
  readonly announcement: Signal<string>;
  readonly speaking: ReadonlySignal<boolean>;
  readonly shown: ReadonlySignal<ShownState>;
  /** Seconds of audio in this session: heard, waiting, or at least sent. */
  readonly seconds: ReadonlySignal<number>;
}

function isKernelState(state: string): state is "listening" | "stopped" | "error" {
  return state === "listening" || state === "stopped" || state === "error";
}

const FILE_SHOWN: Partial<Record<FileState, ShownState>> = { opening: "asking", paused: "paused" };

export function createStore(): Store {
  const mic = signal(MIC_IDLE);
  const file = signal<PlayingFile | null>(null);
  const version = signal(0);
  const line = signal<LineState>("connecting");
  const kernelState = signal("idle");
  const saved = signal(false);
  const speaking = computed(() => version.value >= 0 && store.record.speaking);
  const shown = computed<ShownState>(() => {
    if (line.value === "lost" || mic.value.phase === "error") return "error";
    // Whatever the kernel was doing when it was saved is over.
    if (saved.value) return "stopped";
    if (speaking.value) return "speaking";
    if (isPlaying(file.value)) return FILE_SHOWN[file.value.state] ?? "listening";
    // Audio may come from Python, or have come before the page was loaded.
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
    // A file is read a few chunks ahead of the decisions; the page shows its position instead of a lag.
    const ahead = isPlaying(file.value) ? 0 : waiting.value;
    return Math.max((chunks + ahead) * CHUNK_SECONDS, sentSeconds.value);
  });
  const store: Store = {
    record: emptyRecord(),
    session: null,
    level: signal<Level>({ peak: 0, rms: 0 }),
    version,
    line,
    model: signal<ModelInfo>({ status: "loading", kind: "model", name: "", detail: "" }),
    mic,
    file,
    kernelWaiting,
    untaken,
    waiting,
    captureLag,
    lag,
    kernelState,
    sentSeconds,
    problems: signal([]),
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

/** Adds events in their order; views are told once, however many there are. */
export function addEvents(store: Store, events: readonly SessionEvent[]): void {
  if (events.length === 0) return;
  const now_ms = Date.now();
  const hidden = globalThis.document?.visibilityState === "hidden";
  let finished = "";
  for (const written of events) {
    const event = completeEvent(written);
    applyEvent(store.record, event, store.vocabulary.value);
    store.latency.take(event, now_ms, hidden);
    if (event.type === "turn") finished = event.text;
  }
  batch(() => {
    if (finished) store.announcement.value = finished;
    store.version.value += 1;
  });
}

/** Shows a saved record. Nothing of it is the kernel's: the first welcome replaces it. */
export function showSaved(store: Store, record: SessionRecord): void {
  batch(() => {
    store.record = record;
    store.saved.value = true;
    store.version.value += 1;
  });
}

/** Replaces the record by an empty one: a new session begins. */
export function clearRecord(store: Store, session: SessionId | null): void {
  batch(() => {
    store.record = emptyRecord();
    store.saved.value = false;
    store.session = session;
    store.latency.clear();
    store.kernelWaiting.value = 0;
    store.file.value = null;
    store.announcement.value = "";
    store.version.value += 1;
  });
}

/** Applies one microphone event; returns whether anything changed. */
export function moveMic(store: Store, event: MicEvent): boolean {
  const before = store.mic.value;
  store.mic.value = micReducer(before, event);
  return store.mic.value !== before;
}

/** Shows a problem in place of one of its code; the same sentence once more is counted. */
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
