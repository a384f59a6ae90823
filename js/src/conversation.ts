/**
 * Channel to a kernel: owner of store, connection, microphone and file of one widget model, for any number of views.
 * Views attach, detach and call the methods of `SessionChannel`.
 */

import type { CaptureHost } from "./capture/host";
import { FILE_TAIL_S } from "./capture/input";
import type { Analysing, Branching, ForkRequest, SessionChannel } from "./channel/channel";
import { KernelVoice } from "./channel/kernel-voice";
import { lastWords } from "./channel/leaving";
import { KernelLink, type KernelModel, type Payload, pageName } from "./channel/link";
import type { BrowserMessage, LoopMode, Pace } from "./channel/messages";
import { Receiver, TRAITS } from "./channel/receiving";
import { Recordings } from "./channel/recordings";
import { NOT_KEPT, Requests } from "./channel/requests";
import { LiveChannel } from "./live-channel";
import type { Fetched } from "./playback/sound";
import { announced, isPlaying } from "./store/playing";
import { BACK_AGAIN, KERNEL_LOST, KERNEL_SILENT } from "./store/problem";
import type { Changes } from "./store/settings";
import { createStore, showProblem } from "./store/store";

export interface ConversationOptions {
  captureHost?: CaptureHost;
}

export class Conversation extends LiveChannel implements SessionChannel {
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
  readonly #voice = new KernelVoice((turn, sound) => void this.speech.play(turn, sound));

  constructor(
    private readonly model: KernelModel,
    options: ConversationOptions = {},
  ) {
    // Named first: the audio input has the link's name of this page.
    const page = pageName();
    super(createStore(), page, options.captureHost);
    const { store } = this;
    this.#link = new KernelLink(model, page, {
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
        this.input.end("error");
      },
    });
    this.#requests = new Requests(store, (message) => this.#link.send(message));
    this.recordings = new Recordings(store, {
      page: this.#link.page,
      post: (message, bytes) => this.#link.send(message, bytes),
      nextStream: () => this.input.nextStream(),
    });
    this.#receiver = new Receiver(store, this.#link.page, {
      hello: () => this.#link.hello(),
      helloAt: () => this.#link.helloAt,
      unanswered: () => this.#link.unanswered,
      acknowledged: (stream, seq) => this.input.acknowledged(stream, seq),
      audio: (message, buffers) => this.#requests.audio(message, buffers),
      needed: (message) => {
        this.input.answerNeed(message);
        this.recordings.needed(message);
      },
      saved: (message) => this.recordings.saved(message),
      voice: (message, buffers) => this.#voice.take(message, buffers),
      part: (message, buffers) => this.recordings.part(message, buffers),
      refused: (sentence, names, request) => this.#requests.refuse(sentence, names, request),
      elsewhere: () => this.input.end("error"),
      back: () => showProblem(store, BACK_AGAIN),
    });
  }

  /** Start the connection to the kernel without waiting. */
  start(): void {
    for (const trait of TRAITS) this.model.on(`change:${trait}`, this.#readTraits);
    this.#readTraits();
    this.#receiver.readHistory(this.model.get("history"));
    this.follow();
    this.#link.start();
    const words = lastWords();
    if (words) this.#link.send(words);
  }

  /** Release everything after the model was closed. */
  end(): void {
    this.release();
    this.#requests.end();
    this.recordings.end();
    for (const trait of TRAITS) this.model.off(`change:${trait}`, this.#readTraits);
    this.#link.end();
  }

  /** Whether audio is accepted: the kernel is not lost, and its own session is shown. */
  get ready(): boolean {
    return !this.#link.lost && !this.store.saved.value;
  }

  /** Request the microphone and stream it until `stop`. */
  async record(): Promise<void> {
    if (this.ready && !this.running) await this.openMicrophone();
  }

  /** Have the kernel play a file of this page. */
  async playFile(file: File, pace: Pace): Promise<void> {
    if (this.ready) await this.input.playFile(file, pace);
  }

  /** Have the kernel play a clip of the package. */
  async playClip(clip: string, pace: Pace): Promise<void> {
    if (!this.ready) return;
    if (this.running) await this.stop();
    this.input.dismissOld();
    this.store.file.value = announced(clip, this.#link.page);
    this.#link.send({ type: "play_clip", clip, pace, tail_s: FILE_TAIL_S, page: this.#link.page });
  }

  interrupt(): void {
    this.#link.send({ type: "interrupt" });
  }

  async reset(): Promise<void> {
    await this.clearSession();
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

  protected take(message: BrowserMessage, payload?: Payload): void {
    this.#link.send(message, payload);
  }

  #busy(): boolean {
    const { store } = this;
    const loading = store.model.value.status === "loading";
    return (
      this.input.streaming ||
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
    this.input.end("kernel_lost");
    this.#requests.end();
    this.recordings.end();
    showProblem(this.store, KERNEL_LOST);
  }

  readonly #readTraits = (): void => {
    if (this.#receiver.readTraits((name) => this.model.get(name))) this.#requests.traitsChanged();
  };
}
