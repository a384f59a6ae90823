/**
 * Channel to a kernel: owner of store, connection, microphone and file of one widget model, for any number of views.
 * Views attach, detach and call the methods of `SessionChannel`.
 */

import { computed } from "@preact/signals";
import { DeviceList } from "./capture/devices";
import { watchHidden } from "./capture/hidden";
import { browserHost, type CaptureHost } from "./capture/host";
import { AudioInput, FILE_TAIL_S } from "./capture/input";
import { rawSound } from "./capture/raw-ring";
import type { Analysing, Branching, ForkRequest, SessionChannel } from "./channel/channel";
import { KernelClips } from "./channel/kernel-clips";
import { KernelVoice } from "./channel/kernel-voice";
import { lastWords } from "./channel/leaving";
import { KernelLink, type KernelModel } from "./channel/link";
import type { CloseReason, LoopMode, Pace } from "./channel/messages";
import { Receiver, TRAITS } from "./channel/receiving";
import { Recordings } from "./channel/recordings";
import { NOT_KEPT, Requests } from "./channel/requests";
import { ChunkPlayer } from "./playback/chunk-player";
import { clearWithRecord, Replay } from "./playback/replay";
import type { Fetched, Sound } from "./playback/sound";
import { Speech } from "./speech/speech";
import { announced, isPlaying } from "./store/playing";
import { BACK_AGAIN, KERNEL_LOST, KERNEL_SILENT, type Problem } from "./store/problem";
import type { Changes } from "./store/settings";
import { createStore, dismissProblem, type Store, showProblem } from "./store/store";

/**
 * Time that a view may be absent while the host moves it (a dragged cell), in milliseconds; then the microphone is
 * released.
 */
const VIEW_GRACE_MS = 250;

export interface ConversationOptions {
  captureHost?: CaptureHost;
}

export class Conversation implements SessionChannel {
  readonly store: Store = createStore();
  /** Reads replies aloud; meanwhile the setting `reading` decides about the microphone. */
  readonly speech = new Speech();
  /** Plays chunks; the microphone would record them like a reply that is read aloud. */
  readonly player = new ChunkPlayer(this);
  /** Replays the audio that the kernel keeps. */
  readonly replay = new Replay(new KernelClips(this));
  readonly ongoing = true;
  readonly branching: Branching = {
    fork: (asked: ForkRequest) => {
      const { chunk, until = null, span = 1, settings = {}, other = 0, samples } = asked;
      const audio = samples ? "samples" : (asked.audio ?? "");
      const change = { settings: { ...settings }, span, force: asked.force ?? "", audio, other } as const;
      this.#link.send({ type: "fork", chunk, until, ...change, request: 0, page: this.#link.page }, samples);
    },
    drop: (branch) => this.#link.send({ type: "drop_branch", branch }),
  };
  readonly recordings: Recordings;
  get analysing(): Analysing {
    return this.recordings.analysing;
  }
  readonly #link: KernelLink;
  readonly #receiver: Receiver;
  readonly #requests: Requests;
  readonly #input: AudioInput;
  readonly #devices: DeviceList;
  readonly #voice = new KernelVoice((turn, sound) => void this.speech.play(turn, sound));
  #views = 0;
  #grace: ReturnType<typeof setTimeout> | undefined;
  #effects: (() => void)[] = [];

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
    this.recordings = new Recordings(store, {
      page: this.#link.page,
      post: (message, bytes) => this.#link.send(message, bytes),
      nextStream: () => this.#input.nextStream(),
    });
    this.#receiver = new Receiver(store, this.#link.page, {
      hello: () => this.#link.hello(),
      helloAt: () => this.#link.helloAt,
      unanswered: () => this.#link.unanswered,
      acknowledged: (stream, seq) => this.#input.acknowledged(stream, seq),
      audio: (message, buffers) => this.#requests.audio(message, buffers),
      needed: (message) => {
        this.#input.answerNeed(message);
        this.recordings.needed(message);
      },
      saved: (message) => this.recordings.saved(message),
      voice: (message, buffers) => this.#voice.take(message, buffers),
      part: (message, buffers) => this.recordings.part(message, buffers),
      refused: (sentence, names, request) => this.#requests.refuse(sentence, names, request),
      elsewhere: () => this.#input.end("error"),
      back: () => showProblem(store, BACK_AGAIN),
    });
    this.#devices = new DeviceList(host, (devices) => {
      store.devices.value = devices;
    });
  }

  /** Start the connection to the kernel without waiting. */
  start(): void {
    for (const trait of TRAITS) this.model.on(`change:${trait}`, this.#readTraits);
    this.#readTraits();
    this.#receiver.readHistory(this.model.get("history"));
    globalThis.addEventListener?.("pagehide", this.#onPageHide);
    this.#effects = [
      computed(
        () => this.player.audible.value || this.replay.playing.value || this.speech.reading.value !== null,
      ).subscribe((loud) => this.#input.reading(loud)),
      clearWithRecord(this.replay, this.store),
      this.#input.follow(),
      watchHidden(this.store),
    ];
    this.#devices.start();
    this.#link.start();
    const words = lastWords();
    if (words) this.#link.send(words);
  }

  /** Release everything after the model was closed. */
  end(): void {
    for (const stop of this.#effects) stop();
    this.speech.end();
    this.player.end();
    this.replay.end();
    this.#input.end("view_removed");
    this.#requests.end();
    this.recordings.end();
    this.#devices.end();
    clearTimeout(this.#grace);
    globalThis.removeEventListener?.("pagehide", this.#onPageHide);
    for (const trait of TRAITS) this.model.off(`change:${trait}`, this.#readTraits);
    this.#link.end();
  }

  attachView(): void {
    this.#views += 1;
    clearTimeout(this.#grace);
  }

  /** Stop microphone and voice when the last view is gone, because no view could show that they are on. */
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

  /** Whether audio is accepted: the kernel is not lost, and its own session is shown. */
  get ready(): boolean {
    return !this.#link.lost && !this.store.saved.value;
  }

  /** Request the microphone and stream it until `stop`. */
  async record(): Promise<void> {
    if (!this.ready || this.running) return;
    this.#input.mute(false);
    await this.#input.record();
    // Devices have names only after the permission was given.
    await this.#devices.refresh();
  }

  /** Have the kernel play a file of this page. */
  async playFile(file: File, pace: Pace): Promise<void> {
    if (this.ready) await this.#input.playFile(file, pace);
  }

  /** Have the kernel play a clip of the package. */
  async playClip(clip: string, pace: Pace): Promise<void> {
    if (!this.ready) return;
    if (this.running) await this.stop();
    this.#input.dismissOld();
    this.store.file.value = announced(clip, this.#link.page);
    this.#link.send({ type: "play_clip", clip, pace, tail_s: FILE_TAIL_S, page: this.#link.page });
  }

  /** Stop microphone or file; resolves when the last block and the close were sent. */
  stop(reason: CloseReason = "stopped"): Promise<void> {
    return this.#input.stop(reason);
  }

  /** Suspend or resume the audio: the stream stays open and the session's clock stops meanwhile. */
  pause(paused: boolean): void {
    this.#input.pause(paused);
  }

  /** Send silence in place of the microphone, or the microphone again. */
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

  /** Request other settings; the kernel's traits have those in effect. */
  set(changes: Changes): void {
    this.#requests.set(changes);
  }

  /** Set the mode of the kernel's loop: free, paused, or one phase per `step`. */
  loop(mode: LoopMode): void {
    this.#link.send({ type: "loop", mode });
  }

  /** Run the next phase of the loop: perceive, decide or respond. */
  step(): void {
    this.#link.send({ type: "step" });
  }

  /** Fetch the sound of a chunk as the model heard it, or the reason why there is none. */
  fetchAudio(chunk: number): Promise<Fetched> {
    return this.ready ? this.#requests.fetchAudio(chunk) : Promise.resolve(NOT_KEPT);
  }

  /**
   * Return the sound of a chunk as the device delivered it; null if this page did not record it or has discarded it.
   */
  rawAudio(chunk: number): Sound | null {
    return rawSound(this.store, this.#input.raw, chunk);
  }

  /** Remove the line about a file that has ended. */
  dismissFile(): void {
    if (!isPlaying(this.store.file.value)) this.store.file.value = null;
  }

  dismiss(problem: Problem): void {
    dismissProblem(this.store, problem.code);
  }

  #busy(): boolean {
    const { store } = this;
    const loading = store.model.value.status === "loading";
    return (
      this.#input.streaming ||
      isPlaying(store.file.value) ||
      store.waiting.value > 0 ||
      store.branches.value.some(({ told }) => told.state === "queued" || told.state === "running") ||
      store.record.speaking ||
      this.recordings.busy ||
      loading
    );
  }

  #lost(): void {
    this.store.line.value = "lost";
    this.#input.end("kernel_lost");
    this.#requests.end();
    this.recordings.end();
    showProblem(this.store, KERNEL_LOST);
  }

  readonly #readTraits = (): void => {
    if (this.#receiver.readTraits((name) => this.model.get(name))) this.#requests.traitsChanged();
  };

  readonly #onPageHide = (): void => this.#input.end("view_removed");
}
