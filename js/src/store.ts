/** The one state of the front end. Everything on screen is drawn from these signals; only `Conversation` writes them. */
import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { MIC_IDLE, type MicEvent, type MicState, micReducer } from "./capture/mic-state";
import type { SessionEvent } from "./events";
import type { ModelInfo, SessionId } from "./messages";
import type { Problem } from "./problem";
import { applyEvent, emptyTalk, type Talk } from "./talk";

/** How the line to the kernel stands. */
export type LineState = "connecting" | "waiting" | "ready" | "lost";

/** What the state pill says, and `data-state`. */
export type ShownState = "idle" | "asking" | "listening" | "speaking" | "stopped" | "error";

export interface FileProgress {
  name: string;
  /** 0…1 of the file sent. */
  part: number;
}

/** Level of the newest block, read by the meter once a frame; not a signal, since nothing else depends on it. */
export interface Level {
  peak: number;
  rms: number;
}

export interface Store {
  /** The talk grows in place; whoever reads it subscribes to `version`. */
  talk: Talk;
  session: SessionId | null;
  level: Level;
  readonly version: Signal<number>;
  readonly line: Signal<LineState>;
  readonly model: Signal<ModelInfo>;
  readonly mic: Signal<MicState>;
  readonly file: Signal<FileProgress | null>;
  /** Chunks that have arrived and are not decided yet. */
  readonly waiting: Signal<number>;
  /** State of the kernel's side, from its synced trait: what goes on where this page records nothing. */
  readonly kernelState: Signal<string>;
  /** Seconds of audio sent in the stream that is open, or was last. */
  readonly sentSeconds: Signal<number>;
  readonly problems: Signal<readonly Problem[]>;
  /** The newest finished reply, for screen readers. */
  readonly announcement: Signal<string>;
  readonly speaking: ReadonlySignal<boolean>;
  readonly shown: ReadonlySignal<ShownState>;
  /** Seconds of audio in this session: heard, waiting, or at least sent. */
  readonly seconds: ReadonlySignal<number>;
}

const CHUNK_SECONDS = 0.4;

function isKernelState(state: string): state is "listening" | "stopped" | "error" {
  return state === "listening" || state === "stopped" || state === "error";
}

export function createStore(): Store {
  const mic = signal(MIC_IDLE);
  const version = signal(0);
  const line = signal<LineState>("connecting");
  const kernelState = signal("idle");
  const speaking = computed(() => version.value >= 0 && store.talk.speaking);
  const shown = computed<ShownState>(() => {
    if (line.value === "lost" || mic.value.phase === "error") return "error";
    if (speaking.value) return "speaking";
    // Audio may come from Python, or have come before the page was loaded.
    const { phase } = mic.value;
    return phase === "idle" && isKernelState(kernelState.value) ? kernelState.value : phase;
  });
  const waiting = signal(0);
  const sentSeconds = signal(0);
  const seconds = computed(() => {
    const chunks = version.value >= 0 ? store.talk.chunks.length : 0;
    return Math.max((chunks + waiting.value) * CHUNK_SECONDS, sentSeconds.value);
  });
  const store: Store = {
    talk: emptyTalk(),
    session: null,
    level: { peak: 0, rms: 0 },
    version,
    line,
    model: signal<ModelInfo>({ status: "loading", name: "", detail: "" }),
    mic,
    file: signal(null),
    waiting,
    kernelState,
    sentSeconds,
    problems: signal([]),
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
  let finished = "";
  for (const event of events) {
    applyEvent(store.talk, event);
    if (event.type === "turn") finished = event.text;
  }
  batch(() => {
    if (finished) store.announcement.value = finished;
    store.version.value += 1;
  });
}

/** Forgets the events: a new session begins. */
export function clearTalk(store: Store, session: SessionId | null): void {
  batch(() => {
    store.talk = emptyTalk();
    store.session = session;
    store.waiting.value = 0;
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

export function showProblem(store: Store, problem: Problem): void {
  store.problems.value = [...store.problems.value.filter((other) => other.code !== problem.code), problem];
}

export function dismissProblem(store: Store, code: string): void {
  const kept = store.problems.value.filter((problem) => problem.code !== code);
  if (kept.length !== store.problems.value.length) store.problems.value = kept;
}
