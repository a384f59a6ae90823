/**
 * The channel to a kernel: owns store, connection, microphone and file of one widget model, whatever the number of its
 * views. Views attach, detach and call the methods of `SessionChannel`.
 */

import { computed } from "@preact/signals";
import { DeviceList } from "./capture/devices";
import { browserHost, type CaptureHost } from "./capture/host";
import { AudioInput } from "./capture/input";
import { hiddenProblem } from "./capture/problems";
import type { SessionChannel } from "./channel/channel";
import { KernelClips } from "./channel/kernel-clips";
import { lastWords } from "./channel/leaving";
import { KernelLink, type KernelModel } from "./channel/link";
import type { CloseReason, LoopMode, Pace } from "./channel/messages";
import { Receiver, TRAITS } from "./channel/receiving";
import { NOT_KEPT, Requests } from "./channel/requests";
import { ChunkPlayer } from "./playback/chunk-player";
import { Replay } from "./playback/replay";
import type { Fetched, Sound } from "./playback/sound";
import { Speech } from "./speech/speech";
import { isPlaying } from "./store/playing";
import { BACK_AGAIN, KERNEL_LOST, KERNEL_SILENT, type Problem } from "./store/problem";
import type { Changes } from "./store/settings";
import { createStore, dismissProblem, type Store, showProblem } from "./store/store";

/** Milliseconds that a view may be absent while the host moves it (a dragged cell); then the microphone is released. */
const VIEW_GRACE_MS = 250;
/** Seconds from which on a hidden page is reported; shorter absences are common and lose nothing. */
const HIDDEN_S = 5;

export interface ConversationOptions {
  captureHost?: CaptureHost;
}

export class Conversation implements SessionChannel {
  readonly store: Store = createStore();
  /** Reads replies aloud; meanwhile the microphone follows the setting `reading`. */
  readonly speech = new Speech();
  /** Sounds of chunks, which the microphone would hear as it does a reply. */
  readonly player = new ChunkPlayer(this);
  /** Plays what the kernel keeps of the session's audio. */
  readonly replay = new Replay(new KernelClips(this));
  readonly ongoing = true;
  readonly #link: KernelLink;
  readonly #receiver: Receiver;
  readonly #requests: Requests;
  readonly #input: AudioInput;
  readonly #devices: DeviceList;
  #views = 0;
  #grace: ReturnType<typeof setTimeout> | undefined;
  #effects: (() => void)[] = [];
  /** When the page was hidden while a microphone was open, and the chunks there were. */
  #hidden: { at: number; chunks: number } | null = null;

  constructor(
    private readonly model: KernelModel,
    options: ConversationOptions = {},
  ) {
    const { store } = this;
    const host = options.captureHost ?? browserHost();
    this.#link = new KernelLink(model, {
      seen: () => (store.saved.value ? 0 : store.record.count),
      session: () => (store.saved.value ? null : store.session),
      busy: () => this.#busy(),
      receive: (message, buffers) => this.#receiver.receive(message, buffers),
      waiting: () => {
        if (store.line.value === "connecting") store.line.value = "waiting";
      },
      lost: () => this.#lost(),
      overfull: () => {
        showProblem(store, KERNEL_SILENT);
        this.#input.end("error");
      },
    });
    this.#requests = new Requests(store, (message) => this.#link.send(message));
    this.#input = new AudioInput(store, (message, payload) => this.#link.send(message, payload), {
      page: this.#link.page,
      host,
    });
    this.#receiver = new Receiver(store, this.#link.page, {
      hello: () => this.#link.hello(),
      helloAt: () => this.#link.helloAt,
      unanswered: () => this.#link.unanswered,
      acknowledged: (stream, seq) => this.#input.acknowledged(stream, seq),
      audio: (message, buffers) => this.#requests.audio(message, buffers),
      needed: (message) => this.#input.answerNeed(message),
      refused: (sentence, names, request) => this.#requests.refuse(sentence, names, request),
      elsewhere: () => this.#input.end("error"),
      back: () => showProblem(store, BACK_AGAIN),
    });
    this.#devices = new DeviceList(host, (devices) => {
      store.devices.value = devices;
    });
  }

  /** Starts the connection to the kernel. Never waits. */
  start(): void {
    for (const trait of TRAITS) this.model.on(`change:${trait}`, this.#readTraits);
    this.#readTraits();
    this.#receiver.readHistory(this.model.get("history"));
    globalThis.addEventListener?.("pagehide", this.#onPageHide);
    globalThis.document?.addEventListener("visibilitychange", this.#onVisibility);
    this.#effects = [
      computed(
        () => this.player.audible.value || this.replay.playing.value || this.speech.reading.value !== null,
      ).subscribe((loud) => this.#input.reading(loud)),
      this.#clearReplay(),
      this.#input.follow(),
    ];
    this.#devices.start();
    this.#link.start();
    const words = lastWords();
    if (words) this.#link.send(words);
  }

  /** The model is gone: release everything. */
  end(): void {
    for (const stop of this.#effects) stop();
    this.speech.stop();
    this.player.end();
    this.replay.end();
    this.#input.end("view_removed");
    this.#requests.end();
    this.#devices.end();
    clearTimeout(this.#grace);
    globalThis.removeEventListener?.("pagehide", this.#onPageHide);
    globalThis.document?.removeEventListener("visibilitychange", this.#onVisibility);
    for (const trait of TRAITS) this.model.off(`change:${trait}`, this.#readTraits);
    this.#link.end();
  }

  attachView(): void {
    this.#views += 1;
    clearTimeout(this.#grace);
  }

  /** Stops microphone and voice when the last view is gone: no view could show that they are on. */
  detachView(): void {
    this.#views -= 1;
    clearTimeout(this.#grace);
    if (this.#views > 0) return;
    this.#grace = setTimeout(() => {
      this.speech.stop();
      this.player.end();
      this.replay.pause();
      this.#input.end("view_removed");
    }, VIEW_GRACE_MS);
  }

  get running(): boolean {
    return this.#input.running;
  }

  /** Whether audio can be taken: a kernel may answer, and what is shown is its own session. */
  get ready(): boolean {
    return !this.#link.lost && !this.store.saved.value;
  }

  /** Asks for the microphone and streams it until `stop`. */
  async record(): Promise<void> {
    if (!this.ready || this.running) return;
    this.#input.mute(false);
    await this.#input.record();
    // Only now are devices told by name.
    await this.#devices.refresh();
  }

  /** Lets the kernel play a file of this page. */
  async playFile(file: File, pace: Pace): Promise<void> {
    if (this.ready) await this.#input.playFile(file, pace);
  }

  /** Stops microphone or file; resolves when the last block and the close are on their way. */
  stop(reason: CloseReason = "stopped"): Promise<void> {
    return this.#input.stop(reason);
  }

  /** Holds the audio, or lets it go on: the stream stays open and the session's clock stands. */
  pause(paused: boolean): void {
    this.#input.pause(paused);
  }

  /** Lets the model hear silence in place of the microphone. */
  mute(muted: boolean): void {
    this.#input.mute(muted);
  }

  interrupt(): void {
    this.#link.send({ type: "interrupt" });
  }

  async reset(): Promise<void> {
    await this.stop("reset");
    dismissProblem(this.store, "model");
    this.#input.raw.clear();
    this.#link.send({ type: "reset" });
  }

  /** Asks the kernel for other settings. What holds is what its traits say. */
  set(changes: Changes): void {
    this.#requests.set(changes);
  }

  /** How the kernel's loop runs: freely, paused, or one phase per `step`. */
  loop(mode: LoopMode): void {
    this.#link.send({ type: "loop", mode });
  }

  /** The next phase of the loop: perceive, decide or respond. */
  step(): void {
    this.#link.send({ type: "step" });
  }

  /** The sound of a chunk as the model heard it, or why there is none. */
  fetchAudio(chunk: number): Promise<Fetched> {
    return this.ready ? this.#requests.fetchAudio(chunk) : Promise.resolve(NOT_KEPT);
  }

  /** The sound of a chunk as the device gave it; null where this page did not record it or keeps it no longer. */
  rawAudio(chunk: number): Sound | null {
    const { record } = this.store;
    const timing = record.timings.get(chunk);
    if (!timing || timing.seq < 0) return null;
    let first = chunk;
    while (first > 0 && record.timings.get(first - 1)?.stream === timing.stream) first -= 1;
    return this.#input.raw.chunk(timing.stream, chunk - first, timing.seq);
  }

  /** Removes the line about a file that has ended. */
  dismissFile(): void {
    if (!isPlaying(this.store.file.value)) this.store.file.value = null;
  }

  dismiss(problem: Problem): void {
    dismissProblem(this.store, problem.code);
  }

  /** Ends the replay of a record that another one has replaced. */
  #clearReplay(): () => void {
    const { store } = this;
    let shown = store.record;
    return store.version.subscribe(() => {
      if (store.record === shown) return;
      shown = store.record;
      this.replay.clear();
    });
  }

  #busy(): boolean {
    const { store } = this;
    const loading = store.model.value.status === "loading";
    return (
      this.#input.streaming ||
      isPlaying(store.file.value) ||
      store.waiting.value > 0 ||
      store.record.speaking ||
      loading
    );
  }

  #lost(): void {
    this.store.line.value = "lost";
    this.#input.end("kernel_lost");
    this.#requests.end();
    showProblem(this.store, KERNEL_LOST);
  }

  readonly #readTraits = (): void => {
    if (this.#receiver.readTraits((name) => this.model.get(name))) this.#requests.traitsChanged();
  };

  readonly #onPageHide = (): void => this.#input.end("view_removed");

  readonly #onVisibility = (): void => {
    const { store } = this;
    const { chunks } = store.record;
    if (document.visibilityState === "hidden") {
      this.#hidden = store.micOpen.value ? { at: Date.now(), chunks: chunks.length } : null;
      return;
    }
    const hidden = this.#hidden;
    this.#hidden = null;
    const seconds = hidden ? (Date.now() - hidden.at) / 1000 : 0;
    if (!hidden || seconds < HIDDEN_S) return;
    const minutes = Math.floor(seconds / 60);
    const time = `${minutes > 0 ? `${minutes} min ` : ""}${Math.round(seconds % 60)} s`;
    showProblem(store, hiddenProblem(time, Math.max(0, chunks.length - hidden.chunks)));
  };
}
