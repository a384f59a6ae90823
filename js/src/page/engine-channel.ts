/**
 * Channel to an engine in this page: no kernel. It owns store, engine, microphone and file, for any number of views.
 */
import { batch, type Signal, signal } from "@preact/signals";
import type { CaptureHost } from "../capture/host";
import type { SessionChannel } from "../channel/channel";
import type { Payload } from "../channel/link";
import type { BrowserMessage, LoopMode, Pace } from "../channel/messages";
import type { Engine, EngineFacts, SettingsChange } from "../engine/engine";
import { LiveChannel } from "../live-channel";
import type { Fetched } from "../playback/sound";
import type { SessionEvent } from "../record/events";
import type { Changes } from "../store/settings";
import { addEvents, clearRecord, createStore, showProblem } from "../store/store";
import { EngineBranches } from "./engine-branches";
import { EngineLoop, showLoop } from "./engine-loop";
import { FilePlayer, type FilePlayerOptions } from "./file-player";
import type { Follower } from "./follower";
import { KeptEvents } from "./kept-events";
import { LiveAudio } from "./live-audio";
import { type Load, loadModel } from "./loading";
import { PageRecordings, type PageRecordingsOptions } from "./page-recordings";
import { PageSettings } from "./page-settings";
import { shown } from "./recorded-session";
import { vocabularyOf } from "./recording-header";
import { writeSession } from "./session-file";

/** Name of this page in the messages of its own audio input. */
const PAGE = "this page";
const NOT_KEPT: Fetched = { why: "This page no longer keeps this chunk's sound." };

export interface EngineChannelOptions extends Pick<PageRecordingsOptions, "deliver"> {
  captureHost?: CaptureHost;
  player?: FilePlayerOptions;
  decodeFlac?: PageRecordingsOptions["decode"];
  /** Returns a clip of the package. */
  clip: (name: string) => Promise<File>;
  /** Fragment of the page's address, with settings. */
  hash?: string;
  /** Takes the fragment of changed settings. */
  share?: (hash: string) => void;
  /** Returns the settings of the first session, in place of the model's. */
  settings?: () => SettingsChange;
  /** Delivers the sessions elsewhere. */
  follower?: Follower;
  /** Says what to do where the model cannot be loaded. */
  wayOut?: string;
}

export class EngineChannel extends LiveChannel implements SessionChannel {
  readonly branching: EngineBranches;
  /** An onset curve and a raster of seeds are computed by a kernel. */
  readonly analysing = null;
  readonly recordings: PageRecordings;
  /** What runs the model; null before it is loaded. */
  readonly facts: Signal<EngineFacts | null> = signal(null);
  readonly #files: FilePlayer;
  readonly #live: LiveAudio;
  readonly #settings: PageSettings;
  #engine: Engine | null = null;
  #loop: EngineLoop | null = null;
  #kept = new KeptEvents();
  #created = "";
  /** Number of the session. */
  #sessions = 0;
  #file: File | null = null;

  constructor(
    private readonly load: Load,
    private readonly options: EngineChannelOptions,
  ) {
    const store = createStore("page", options.follower !== undefined);
    super(store, PAGE, options.captureHost);
    this.#live = new LiveAudio(store);
    this.#settings = new PageSettings(store, options.share);
    this.#files = new FilePlayer(store, options.player);
    this.branching = new EngineBranches(store, () => shown(this.recordings.original, this.#loop?.session));
    this.recordings = new PageRecordings(store, {
      engine: () => this.#engine,
      showSession: () => this.#showSession(),
      hide: () => this.branching.hide(true),
      write: () => this.#write(),
      ...(options.deliver ? { deliver: options.deliver } : {}),
      ...(options.decodeFlac ? { decode: options.decodeFlac } : {}),
    });
  }

  /** Load the model without waiting for it. */
  start(): Promise<void> {
    const { store } = this;
    // The page and its engine have one clock.
    store.latency.clock.received(Date.now(), Date.now());
    store.latency.clock.sent(Date.now(), Date.now());
    this.follow();
    return this.#load();
  }

  /** Release everything. */
  async end(): Promise<void> {
    this.release();
    await this.#loop?.close();
    await this.#engine?.close();
  }

  get ready(): boolean {
    return this.#loop !== null;
  }

  async record(): Promise<void> {
    if (!this.ready || this.running) return;
    this.recordings.close();
    await this.openMicrophone();
  }

  async playFile(file: File, pace: Pace): Promise<void> {
    if (!this.ready) return;
    this.recordings.close();
    this.#file = file;
    await this.input.playFile(file, pace);
  }

  async playClip(clip: string, pace: Pace): Promise<void> {
    if (!this.ready) return;
    try {
      await this.playFile(await this.options.clip(clip), pace);
    } catch (error) {
      const sentence = error instanceof Error ? error.message : String(error);
      showProblem(this.store, { code: "file", sentence, wayOut: "" });
    }
  }

  interrupt(): void {
    this.#loop?.session.interrupt();
  }

  async reset(): Promise<void> {
    if (!this.#engine) return;
    await this.clearSession();
    this.recordings.close();
    const settings = this.#loop?.session.settings ?? {};
    await this.#loop?.close();
    this.#begin(this.#engine, settings);
  }

  set(changes: Changes): void {
    const notice = this.#settings.set(changes, this.#loop?.session ?? null);
    if (notice) void this.#loop?.note(notice);
  }

  loop(mode: LoopMode): void {
    this.#loop?.gate.set(mode);
  }

  step(): void {
    this.#loop?.gate.step();
  }

  async fetchAudio(chunk: number): Promise<Fetched> {
    const recorded = this.recordings.audio(chunk);
    const samples = recorded === undefined ? await this.#loop?.session.audio(chunk) : recorded;
    return samples ? { sound: { samples, rate: 16_000 } } : NOT_KEPT;
  }

  async #load(): Promise<void> {
    const engine = await loadModel(this.load, this.store, this.options.wayOut);
    if (!engine) return;
    this.#engine = engine;
    this.#settings.declare(engine.manifest);
    this.facts.value = engine.facts;
    this.#beginShared(engine);
    this.recordings.modelLoaded();
    this.store.line.value = "ready";
  }

  /** Begin the first session, with the settings of the address. */
  #beginShared(engine: Engine): void {
    const { settings, refused } = this.#settings.ofAddress(this.options.hash ?? "");
    const sentences = [...refused];
    try {
      this.#begin(engine, { ...this.options.settings?.(), ...settings });
    } catch (error) {
      // Each value is allowed, and together they are not.
      sentences.push(error instanceof Error ? error.message : String(error));
      this.#begin(engine, {});
    }
    if (sentences.length === 0) return;
    const wayOut = "Its other settings are in effect.";
    const sentence = `The address has settings that are not possible: ${sentences.join(" ")}`;
    showProblem(this.store, { code: "address", sentence, wayOut, calm: true });
  }

  #begin(engine: Engine, settings: SettingsChange): void {
    const { store } = this;
    const session = engine.session(settings);
    const mode = this.#loop?.gate.mode ?? "run";
    const loop: EngineLoop = new EngineLoop(session, {
      events: (events) => this.#events(loop, events),
      heard: (stream, seq) => this.input.acknowledged(stream, seq),
      moved: () => this.#moved(loop),
      failed: (error) => this.#failed(loop, error),
    });
    this.#loop = loop;
    loop.gate.mode = mode;
    this.#kept = new KeptEvents();
    this.#live.begin();
    this.#created = new Date().toISOString();
    this.#sessions += 1;
    this.options.follower?.began({
      number: this.#sessions,
      runtime: `${engine.facts.runtime} ${engine.facts.version}`,
      settings: { ...session.settings },
      kept: this.#kept,
      gate: loop.gate,
      waiting: () => loop.waiting,
      audio: (chunk) => session.audio(chunk),
    });
    batch(() => {
      this.branching.clear();
      clearRecord(store, this.#sessions);
      const name = String(session.heading.model.name ?? "");
      store.model.value = {
        status: "ready",
        kind: "model",
        name,
        detail: store.mirrored ? "runs in this page" : "in this tab",
      };
      store.vocabulary.value = vocabularyOf(session.heading) ?? store.vocabulary.value;
      this.#settings.show(session);
      this.#moved(loop);
    });
  }

  #events(loop: EngineLoop, events: readonly SessionEvent[]): void {
    if (loop !== this.#loop) return;
    const all = events.flatMap((event) => this.#kept.add(event));
    this.options.follower?.added(all);
    this.#live.count(events, loop.session.chunks);
    // A recording that is shown keeps its place: audio closes it first, so only the last events come here.
    if (!this.store.recording.value) addEvents(this.store, all);
    if (loop.session.ended !== null) this.#ended(loop.session.ended);
  }

  #moved(loop: EngineLoop): void {
    if (loop !== this.#loop) return;
    showLoop(this.store, loop);
    this.options.follower?.moved();
  }

  #failed(loop: EngineLoop, error: unknown): void {
    if (loop !== this.#loop) return;
    console.error(error);
    this.#ended(error instanceof Error ? error.message : String(error));
  }

  #ended(sentence: string): void {
    this.input.end("error");
    showProblem(this.store, {
      code: "model",
      sentence,
      wayOut: "What was heard so far is kept. Press Reset for a new session.",
    });
  }

  /** Take what the audio input would send to a kernel. */
  protected take(message: BrowserMessage, payload?: Payload): void {
    if (message.type === "state") this.options.follower?.told(message);
    const loop = this.#loop;
    if (!loop) return;
    if (message.type === "block" && payload instanceof Float32Array) {
      if (!this.#live.take(loop, message, payload)) this.input.acknowledged(message.stream, message.seq);
    } else if (message.type === "close") this.#live.end(loop);
    else if (message.type === "play" && this.#file) {
      void this.#files.play(this.#file, message.pace, PAGE, loop).catch((error) => this.#failed(loop, error));
    } else if (message.type === "file") {
      if (message.action === "stop") void this.#files.stop(message.reason, loop);
      else this.#files.pause(message.action === "pause");
    }
  }

  /** Show the session again in place of a recording. */
  #showSession(): void {
    const { store } = this;
    batch(() => {
      clearRecord(store, this.#sessions);
      // The events were measured and announced when they happened: they are added as those of a recording.
      addEvents(store, [...this.#kept.events()]);
      store.recording.value = null;
      this.branching.hide(false);
      const session = this.#loop?.session;
      if (session) store.vocabulary.value = vocabularyOf(session.heading) ?? store.vocabulary.value;
    });
  }

  #write(): Promise<Blob> {
    const session = this.#loop?.session;
    if (!session) return Promise.reject(new Error("The model is not loaded."));
    return writeSession(session, this.#kept, { created: this.#created, live: this.store.live.value });
  }
}
