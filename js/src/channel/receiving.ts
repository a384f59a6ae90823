/** Takes what the kernel says into the store: welcome, events, traits, problems. */
import { batch } from "@preact/signals";
import { recordOfHistory } from "../record/saved";
import { readVocabulary, type VocabularyFields } from "../record/vocabulary";
import { readPlaying } from "../store/playing";
import { KERNEL_LOST, kernelProblem, PROTOCOL_MISMATCH } from "../store/problem";
import { readCounters, readLive, readLoop, readSchema, readSettings } from "../store/settings";
import {
  addEvents,
  clearRecord,
  dismissProblem,
  type SessionId,
  type Store,
  showProblem,
  showSaved,
} from "../store/store";
import { type KernelMessage, PROTOCOL_VERSION } from "./messages";
import type { Buffers } from "./payload";
import { readModelInfo } from "./reading";

/** Synced traits that are shown. */
export const TRAITS = [
  "model_info",
  "state",
  "settings",
  "settings_schema",
  "live",
  "loop",
  "counters",
] as const;

export interface ReceiverListener {
  /** Events are missing, or of another session than those held: ask for all that follow. */
  hello(): void;
  /** When the newest hello left, in Unix ms. */
  helloAt(): number;
  /** Whether a hello is still unanswered. */
  unanswered(): boolean;
  acknowledged(stream: number, seq: number): void;
  audio(message: Extract<KernelMessage, { type: "audio" }>, buffers: Buffers): void;
  /** The kernel needs a part of the file that this page plays. */
  needed(message: Extract<KernelMessage, { type: "need" }>): void;
  /** A change of settings was refused: those of `names`, or all of the request where it names none. */
  refused(sentence: string, names: readonly string[], request: number): void;
  /** The kernel listens to another page. */
  elsewhere(): void;
  /** The kernel speaks again after it was lost. */
  back(): void;
}

export class Receiver {
  /** The traits' values as they were read last: hosts replace what they change. */
  readonly #traits = new Map<string, unknown>();

  constructor(
    private readonly store: Store,
    private readonly page: string,
    private readonly listener: ReceiverListener,
  ) {}

  receive(message: KernelMessage, buffers: Buffers): void {
    const { store, listener } = this;
    if ("now_ms" in message) store.latency.clock.received(message.now_ms, Date.now());
    if (store.line.value !== "ready" && !listener.unanswered()) this.#ready();
    switch (message.type) {
      case "welcome":
        if (isFor(message.page, this.page)) this.#welcome(message);
        break;
      case "events":
        this.#events(message);
        break;
      case "ack":
        listener.acknowledged(message.stream, message.seq);
        break;
      case "audio":
        listener.audio(message, buffers);
        break;
      case "need":
        if (isFor(message.page, this.page)) listener.needed(message);
        break;
      case "playing":
        store.file.value = readPlaying(message) ?? store.file.value;
        break;
      case "loop":
        store.loop.value = readLoop(message) ?? store.loop.value;
        break;
      case "model":
        this.#readModel(message);
        break;
      case "reset":
        clearRecord(store, message.session);
        break;
      case "problem":
        if (isFor(message.page, this.page)) this.#problem(message);
        break;
    }
  }

  /** Reads the synced traits that were sent anew. Returns whether the settings were among them. */
  readTraits(get: (name: string) => unknown): boolean {
    const { store } = this;
    const fresh = TRAITS.filter((name) => this.#traits.get(name) !== get(name));
    batch(() => {
      for (const name of fresh) {
        const value = get(name);
        this.#traits.set(name, value);
        if (name === "state") store.kernelState.value = String(value ?? "idle");
        else if (name === "model_info") this.#readModel(value);
        else if (name === "settings") store.settings.value = readSettings(value) ?? store.settings.value;
        else if (name === "settings_schema") store.schema.value = readSchema(value) ?? store.schema.value;
        else if (name === "live") store.live.value = readLive(value) ?? store.live.value;
        else if (name === "loop") store.loop.value = readLoop(value) ?? store.loop.value;
        else store.counters.value = readCounters(value) ?? store.counters.value;
      }
    });
    return fresh.includes("settings") || fresh.includes("live");
  }

  /** Shows the saved history, for as long as no kernel answers. */
  readHistory(history: unknown): void {
    const record = recordOfHistory(history);
    if (record) showSaved(this.store, record);
  }

  #welcome(message: Extract<KernelMessage, { type: "welcome" }>): void {
    const { store } = this;
    if (message.protocol !== PROTOCOL_VERSION) showProblem(store, PROTOCOL_MISMATCH);
    store.latency.clock.sent(this.listener.helloAt(), message.now_ms);
    batch(() => {
      store.model.value = readModelInfo(message.model) ?? store.model.value;
      store.settings.value = readSettings(message.settings) ?? store.settings.value;
      store.live.value = readLive(message.live) ?? store.live.value;
      store.loop.value = readLoop(message.loop) ?? store.loop.value;
      this.#learnVocabulary(message);
      // What was saved is shown until the kernel, which knows better, tells it anew.
      if (store.saved.value) clearRecord(store, message.session);
      else this.#adopt(message.session);
      store.file.value = readPlaying(message.file) ?? store.file.value;
      // Of a very long session the kernel tells the newest part.
      store.record.count = Math.max(store.record.count, message.first ?? 0);
    });
  }

  #readModel(info: unknown): void {
    this.store.model.value = readModelInfo(info) ?? this.store.model.value;
    if (typeof info === "object" && info !== null) this.#learnVocabulary(info);
  }

  #learnVocabulary(message: VocabularyFields): void {
    const vocabulary = readVocabulary(message);
    if (vocabulary) this.store.vocabulary.value = vocabulary;
  }

  #events(message: Extract<KernelMessage, { type: "events" }>): void {
    const { store, listener } = this;
    // The welcome that is under way decides what becomes of the saved history.
    if (store.saved.value && listener.unanswered()) return;
    this.#adopt(message.session);
    store.kernelWaiting.value = Math.max(0, message.waiting || 0);
    const held = store.record.count - message.first;
    if (held < 0) {
      // Events are missing. A hello that is under way will bring them.
      if (!listener.unanswered()) listener.hello();
      return;
    }
    addEvents(store, message.events.slice(held));
  }

  /** Another session than the one held: its events start from nothing. */
  #adopt(session: SessionId): void {
    if (session === this.store.session && !this.store.saved.value) return;
    const stale = this.store.record.count > 0 && !this.store.saved.value;
    clearRecord(this.store, session);
    if (stale) this.listener.hello();
  }

  #problem(problem: Extract<KernelMessage, { type: "problem" }>): void {
    const { code, message, detail, names = [], request = 0, times = 1 } = problem;
    if (code === "setting") {
      this.listener.refused(message, names, request);
      return;
    }
    showProblem(this.store, kernelProblem(code, message, detail ? String(detail) : "", times));
    // A model that has failed hears nothing any more.
    if (code === "busy_elsewhere" || code === "model") this.listener.elsewhere();
  }

  #ready(): void {
    const lost = this.store.line.value === "lost";
    this.store.line.value = "ready";
    dismissProblem(this.store, KERNEL_LOST.code);
    if (lost) this.listener.back();
  }
}

/** What the kernel says to one page reaches all of them. */
function isFor(named: string | undefined, page: string): boolean {
  return !named || named === page;
}
