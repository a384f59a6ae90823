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
  /** Seconds of audio sent in the stream that is open, or was last. */
  readonly sentSeconds: Signal<number>;
  readonly problems: Signal<readonly Problem[]>;
  /** The newest finished reply, for screen readers. */
  readonly announcement: Signal<string>;
  readonly speaking: ReadonlySignal<boolean>;
  readonly shown: ReadonlySignal<ShownState>;
}

export function createStore(): Store {
  const mic = signal(MIC_IDLE);
  const version = signal(0);
  const line = signal<LineState>("connecting");
  const speaking = computed(() => version.value >= 0 && store.talk.speaking);
  const shown = computed<ShownState>(() => {
    if (line.value === "lost" || mic.value.phase === "error") return "error";
    return speaking.value ? "speaking" : mic.value.phase;
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
    waiting: signal(0),
    sentSeconds: signal(0),
    problems: signal([]),
    announcement: signal(""),
    speaking,
    shown,
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
