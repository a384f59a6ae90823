/**
 * One widget's dealings with its kernel: owns store, line, microphone and file, however many views show them.
 * Made once per model; views only attach, detach and call the verbs below.
 */
import { batch } from "@preact/signals";
import { FilePlayer, type Pace } from "./capture/file-player";
import { isRunning } from "./capture/mic-state";
import { OutgoingStream } from "./capture/outgoing";
import { captureProblem } from "./capture/problems";
import { type CaptureHost, Recorder } from "./capture/recorder";
import { readSoundFile, type SoundFile } from "./capture/sound-file";
import { KernelLink, type KernelModel } from "./link";
import {
  type CloseReason,
  fitText,
  type KernelMessage,
  PROTOCOL_VERSION,
  readModelInfo,
  type SessionId,
  type Source,
} from "./messages";
import { KERNEL_LOST, KERNEL_SILENT, PROTOCOL_MISMATCH, type Problem } from "./problem";
import { addEvents, clearTalk, createStore, dismissProblem, moveMic, type Store, showProblem } from "./store";

/** A view that only moves (a dragged cell) is gone for a moment; after this it is gone. */
const VIEW_GRACE_MS = 250;
/** Synced traits that are shown. */
const TRAITS = ["model_info", "state"];

export interface ConversationOptions {
  captureHost?: CaptureHost;
  readFile?: (file: File) => Promise<SoundFile>;
}

export class Conversation {
  readonly store: Store = createStore();
  readonly #link: KernelLink;
  readonly #recorder: Recorder;
  readonly #readFile: (file: File) => Promise<SoundFile>;
  #stream: OutgoingStream | null = null;
  #streams = 0;
  /** The microphone's request that blocks belong to. */
  #micRequest = 0;
  #player: FilePlayer | null = null;
  #stopping: Promise<void> = Promise.resolve();
  #views = 0;
  #grace: ReturnType<typeof setTimeout> | undefined;
  #reported = "";

  constructor(
    private readonly model: KernelModel,
    options: ConversationOptions = {},
  ) {
    this.#readFile = options.readFile ?? readSoundFile;
    this.#recorder = new Recorder(
      {
        block: (samples, time_s, rate, name, degraded) =>
          this.#micBlock(samples, time_s, rate, name, degraded),
        failed: (problem) => this.#micFailed(problem),
        hindered: (problem) => this.#micHindered(problem),
      },
      options.captureHost,
    );
    this.#link = new KernelLink(model, {
      seen: () => this.store.talk.count,
      busy: () => this.#busy(),
      receive: (message) => this.#receive(message),
      waiting: () => {
        if (this.store.line.value === "connecting") this.store.line.value = "waiting";
      },
      lost: () => this.#lost(),
      overfull: () => {
        showProblem(this.store, KERNEL_SILENT);
        this.#end("error");
      },
    });
  }

  /** Begins to talk to the kernel. Never waits. */
  start(): void {
    for (const trait of TRAITS) this.model.on(`change:${trait}`, this.#readTraits);
    this.#readTraits();
    globalThis.addEventListener?.("pagehide", this.#onPageHide);
    this.#link.start();
  }

  /** The model is gone: release everything. */
  end(): void {
    this.#end("view_removed");
    clearTimeout(this.#grace);
    globalThis.removeEventListener?.("pagehide", this.#onPageHide);
    for (const trait of TRAITS) this.model.off(`change:${trait}`, this.#readTraits);
    this.#link.end();
  }

  attachView(): void {
    this.#views += 1;
    clearTimeout(this.#grace);
  }

  /** When the last view goes, so does the microphone: nobody could see that it is on. */
  detachView(): void {
    this.#views -= 1;
    clearTimeout(this.#grace);
    if (this.#views > 0) return;
    this.#grace = setTimeout(() => this.#end("view_removed"), VIEW_GRACE_MS);
  }

  get running(): boolean {
    return isRunning(this.store.mic.value);
  }

  /** Asks for the microphone and streams it until `stop`. */
  async record(): Promise<void> {
    if (this.running || this.#link.lost) return;
    this.#begin("mic", "");
    const { request } = this.store.mic.value;
    await this.#stopping;
    if (this.store.mic.value.request !== request) return;
    this.#micRequest = request;
    await this.#recorder.start();
  }

  /** Streams a file through the same path as the microphone. */
  async playFile(file: File, pace: Pace): Promise<void> {
    if (this.#link.lost) return;
    if (this.running) await this.stop();
    this.#begin("file", file.name);
    const { request } = this.store.mic.value;
    let sound: SoundFile;
    try {
      sound = await this.#readFile(file);
    } catch (error) {
      return this.#fileFailed(request, captureProblem("file_unreadable", String(error)));
    }
    if (this.store.mic.value.request !== request) return;
    if (sound.samples.length === 0) return this.#fileFailed(request, captureProblem("file_empty"));
    const stream = this.#openStream("file", sound.name, sound.rate);
    const player = new FilePlayer(
      sound,
      pace,
      stream,
      (samples) => this.#sent(samples, { request, name: sound.name, degraded: false }),
      () => {
        this.#player = null;
        this.#stream = null;
        this.store.file.value = null;
        this.#move({ type: "stop" });
      },
    );
    this.#player = player;
    player.start();
  }

  /** Stops microphone or file; resolves when the last block and the close are on their way. */
  stop(reason: CloseReason = "stopped"): Promise<void> {
    this.#stopping = this.#stop(reason);
    return this.#stopping;
  }

  interrupt(): void {
    this.#link.send({ type: "interrupt" });
  }

  async reset(): Promise<void> {
    await this.stop("reset");
    this.#link.send({ type: "reset" });
  }

  dismiss(problem: Problem): void {
    dismissProblem(this.store, problem.code);
  }

  #begin(source: Source, name: string): void {
    batch(() => {
      for (const problem of this.store.problems.value) {
        if (problem.code !== KERNEL_LOST.code) dismissProblem(this.store, problem.code);
      }
      this.store.sentSeconds.value = 0;
      this.#move({ type: "ask", source, name });
    });
  }

  async #stop(reason: CloseReason): Promise<void> {
    this.#player?.stop();
    this.#player = null;
    this.store.file.value = null;
    this.#move({ type: "stop" });
    // The microphone's partial block still belongs to the stream; it may even be its only one.
    await this.#recorder.stop();
    this.#stream?.close(reason);
    this.#stream = null;
    this.#silence();
  }

  /** Ends at once, without waiting for the partial block: nobody is left to wait. */
  #end(reason: CloseReason): void {
    this.#recorder.release();
    this.#player?.stop();
    this.#player = null;
    this.#stream?.close(reason);
    this.#stream = null;
    this.store.file.value = null;
    this.#silence();
    this.#move({ type: "stop" });
  }

  #silence(): void {
    this.store.level = { peak: 0, rms: 0 };
  }

  #openStream(source: Source, name: string, rate: number): OutgoingStream {
    this.#streams += 1;
    const stream = new OutgoingStream({ stream: this.#streams, source, name, rate }, (message, samples) =>
      this.#link.send(message, samples),
    );
    this.#stream = stream;
    return stream;
  }

  #micBlock(samples: Float32Array, time_s: number, rate: number, name: string, degraded: boolean): void {
    const stream = this.#stream ?? this.#openStream("mic", name, rate);
    stream.send(samples, time_s);
    this.#sent(samples, { request: this.#micRequest, name, degraded });
  }

  #sent(samples: Float32Array, from: { request: number; name: string; degraded: boolean }): void {
    // Sending may have found the kernel gone.
    if (!this.#stream) return;
    let peak = 0;
    let power = 0;
    for (const sample of samples) {
      peak = Math.max(peak, Math.abs(sample));
      power += sample * sample;
    }
    this.store.level = { peak, rms: Math.sqrt(power / samples.length) };
    const { seconds } = this.#stream;
    batch(() => {
      this.store.sentSeconds.value = seconds;
      if (this.#player) this.store.file.value = { name: from.name, part: this.#player.progress };
      this.#move({ type: "heard", ...from });
    });
  }

  #micFailed(problem: Problem): void {
    this.#stream?.close(problem.code === "track_ended" ? "track_ended" : "error");
    this.#stream = null;
    this.#silence();
    showProblem(this.store, problem);
    this.#move({ type: "fail", request: this.store.mic.value.request, problem });
  }

  #micHindered(problem: Problem | null): void {
    const { request } = this.store.mic.value;
    if (problem) {
      showProblem(this.store, problem);
      this.#move({ type: "hindered", request, problem });
    } else {
      dismissProblem(this.store, "interrupted");
      this.#move({ type: "freed", request });
    }
  }

  #fileFailed(request: number, problem: Problem): void {
    if (this.store.mic.value.request !== request) return;
    showProblem(this.store, problem);
    this.#move({ type: "fail", request, problem });
  }

  /** Moves the microphone's state and tells the kernel where it is something new. */
  #move(event: Parameters<typeof moveMic>[1]): void {
    if (!moveMic(this.store, event)) return;
    const { phase, problem } = this.store.mic.value;
    const report = `${phase}/${problem?.code ?? ""}`;
    if (report === this.#reported) return;
    this.#reported = report;
    const message = problem ? fitText(`${problem.sentence} ${problem.wayOut}`) : "";
    this.#link.send({ type: "state", state: phase, problem: problem?.code ?? "", message });
  }

  #busy(): boolean {
    const { store } = this;
    const loading = store.model.value.status === "loading";
    return this.#stream !== null || store.waiting.value > 0 || store.talk.speaking || loading;
  }

  #receive(message: KernelMessage): void {
    const { store } = this;
    if (store.line.value !== "ready" && !this.#link.unanswered) this.#ready();
    switch (message.type) {
      case "welcome": {
        if (message.protocol !== PROTOCOL_VERSION) showProblem(store, PROTOCOL_MISMATCH);
        const model = readModelInfo(message.model);
        if (model) store.model.value = model;
        this.#adopt(message.session);
        break;
      }
      case "events":
        this.#receiveEvents(message);
        break;
      case "ack":
        if (message.stream !== this.#stream?.stream) break;
        this.#stream.ack(message.seq);
        this.#player?.acknowledged();
        break;
      case "model":
        store.model.value = readModelInfo(message) ?? store.model.value;
        break;
      case "reset":
        clearTalk(store, message.session);
        break;
      case "problem":
        showProblem(store, {
          code: message.code,
          sentence: message.message,
          wayOut: "",
          ...(message.detail ? { detail: String(message.detail) } : {}),
        });
        break;
    }
  }

  #receiveEvents(message: Extract<KernelMessage, { type: "events" }>): void {
    const { store } = this;
    this.#adopt(message.session);
    store.waiting.value = Math.max(0, message.waiting || 0);
    const held = store.talk.count - message.first;
    if (held < 0) {
      // Events are missing. A hello that is under way will bring them.
      if (!this.#link.unanswered) this.#link.hello();
      return;
    }
    addEvents(store, message.events.slice(held));
  }

  /** Another session than the one held: its events start from nothing. */
  #adopt(session: SessionId): void {
    if (session === this.store.session) return;
    const stale = this.store.talk.count > 0;
    clearTalk(this.store, session);
    if (stale) this.#link.hello();
  }

  #ready(): void {
    this.store.line.value = "ready";
    dismissProblem(this.store, KERNEL_LOST.code);
  }

  #lost(): void {
    this.store.line.value = "lost";
    this.#end("kernel_lost");
    showProblem(this.store, KERNEL_LOST);
  }

  readonly #readTraits = (): void => {
    const model = readModelInfo(this.model.get("model_info"));
    if (model) this.store.model.value = model;
    this.store.kernelState.value = String(this.model.get("state") ?? "idle");
  };

  readonly #onPageHide = (): void => this.#end("view_removed");
}
