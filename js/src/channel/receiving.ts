/** Receiver of the kernel's messages: welcome, events, traits and problems go into the store. */
import { batch } from "@preact/signals";
import { recordOfHistory } from "../record/saved";
import { readVocabulary, type Vocabulary, type VocabularyFields } from "../record/vocabulary";
import { withAnalysed } from "../store/analyses";
import { addBranchEvents, clearBranches, takeBranch } from "../store/branches";
import { readPlaying } from "../store/playing";
import { KERNEL_LOST, kernelProblem, PROTOCOL_MISMATCH } from "../store/problem";
import { readRecording, readReplayed } from "../store/recording";
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

/** Synced traits that are read. */
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
  /** Send a hello: events are missing, or belong to another session. */
  hello(): void;
  /** Return the time of the newest hello, in Unix ms. */
  helloAt(): number;
  /** Return whether a hello is unanswered. */
  unanswered(): boolean;
  acknowledged(stream: number, seq: number): void;
  audio(message: Extract<KernelMessage, { type: "audio" }>, buffers: Buffers): void;
  /** Send the part of the file that the kernel requests. */
  needed(message: Extract<KernelMessage, { type: "need" }>): void;
  /** Handle that a file was written for this page, or that a part of it arrived. */
  saved(message: Extract<KernelMessage, { type: "saved" }>): void;
  part(message: Extract<KernelMessage, { type: "part" }>, buffers: Buffers): void;
  /** Play a part of the sound of a reply. */
  voice(message: Extract<KernelMessage, { type: "voice" }>, buffers: Buffers): void;
  /** Handle a refused change of settings: those of `names`, or all of the request if there are none. */
  refused(sentence: string, names: readonly string[], request: number): void;
  /** Handle that the kernel accepts audio of another page. */
  elsewhere(): void;
  /** Handle that the kernel answers again after it was lost. */
  back(): void;
}

export class Receiver {
  /** Values of the traits when they were read last: a changed value is a new object. */
  readonly #traits = new Map<string, unknown>();
  /** Of the kernel's model. */
  #vocabulary: Vocabulary | null = null;

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
      case "branch":
        takeBranch(store, message);
        break;
      case "branch_events":
        if (!addBranchEvents(store, message) && !listener.unanswered()) listener.hello();
        break;
      case "reset":
        clearRecord(store, message.session);
        // Of a very long recording the kernel tells the newest part.
        store.record.count = message.first ?? 0;
        break;
      case "recording":
        this.#recording(message);
        break;
      case "replayed":
        store.replayed.value = readReplayed(message);
        break;
      case "analysed":
        store.analyses.value = withAnalysed(store.analyses.value, message);
        break;
      case "saved":
        listener.saved(message);
        break;
      case "part":
        listener.part(message, buffers);
        break;
      case "voice":
        if (isFor(message.page, this.page)) listener.voice(message, buffers);
        break;
      case "problem":
        if (isFor(message.page, this.page)) this.#problem(message);
        break;
    }
  }

  /** Read the synced traits that changed. Return whether the settings were among them. */
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

  /** Show the saved history until a kernel answers. */
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
      this.#recording(message.recording);
      store.replayed.value = readReplayed(message.replayed);
      // The kernel sends the results that it has after this message.
      store.analyses.value = {};
      // The saved record is shown until the kernel sends its own.
      if (store.saved.value) clearRecord(store, message.session);
      else this.#adopt(message.session);
      store.file.value = readPlaying(message.file) ?? store.file.value;
      // The kernel sends all kept branches again.
      clearBranches(store);
      // The kernel sends only the newest part of a very long session.
      store.record.count = Math.max(store.record.count, message.first ?? 0);
    });
  }

  #readModel(info: unknown): void {
    this.store.model.value = readModelInfo(info) ?? this.store.model.value;
    if (typeof info === "object" && info !== null) this.#learnVocabulary(info);
  }

  #learnVocabulary(message: VocabularyFields): void {
    const vocabulary = readVocabulary(message);
    if (vocabulary) this.#vocabulary = vocabulary;
    this.#nameTokens();
  }

  /** Name tokens by the model that drew them: a recording may be of another model. */
  #nameTokens(): void {
    const { recording, vocabulary } = this.store;
    vocabulary.value = recording.value?.vocabulary ?? this.#vocabulary ?? vocabulary.value;
  }

  #recording(message: unknown): void {
    const { recording, opening } = this.store;
    const read = readRecording(message);
    opening.value = read.opening;
    if (read.opening) return;
    recording.value = read.shown;
    this.#nameTokens();
  }

  #events(message: Extract<KernelMessage, { type: "events" }>): void {
    const { store, listener } = this;
    // The awaited welcome decides whether the saved history is replaced.
    if (store.saved.value && listener.unanswered()) return;
    this.#adopt(message.session);
    store.kernelWaiting.value = Math.max(0, message.waiting || 0);
    const held = store.record.count - message.first;
    if (held < 0) {
      // Events are missing. An unanswered hello will bring them.
      if (!listener.unanswered()) listener.hello();
      return;
    }
    addEvents(store, message.events.slice(held));
  }

  /** Start another session with an empty record. */
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
    // A failed model hears no more audio.
    if (code === "busy_elsewhere" || code === "model") this.listener.elsewhere();
  }

  #ready(): void {
    const lost = this.store.line.value === "lost";
    this.store.line.value = "ready";
    dismissProblem(this.store, KERNEL_LOST.code);
    if (lost) this.listener.back();
  }
}

/** Return whether a message is for this page: all pages receive the kernel's messages to one. */
function isFor(named: string | undefined, page: string): boolean {
  return !named || named === page;
}
