/** Where audio comes from, microphone or file: one at a time, begun, paused, muted, gated and ended here. */
import { batch, computed } from "@preact/signals";
import { leave } from "../channel/leaving";
import type { Payload } from "../channel/link";
import type { BrowserMessage, CloseReason, KernelMessage, Pace } from "../channel/messages";
import { OutgoingStream } from "../channel/outgoing";
import { fitText } from "../channel/payload";
import { CHUNK_SECONDS } from "../record/events";
import type { SentBlock } from "../record/latency-probe";
import { isRunning } from "../store/mic-state";
import { announced, isPlaying } from "../store/playing";
import { KERNEL_LOST, PROTOCOL_MISMATCH, type Problem } from "../store/problem";
import { dismissProblem, moveMic, type Store, showProblem } from "../store/store";
import { captureLag } from "./capture-lag";
import { HeldFile } from "./held-file";
import { type CaptureHost, wishesOf } from "./host";
import { captureProblem } from "./problems";
import { RawRing } from "./raw-ring";
import { type OpenMicrophone, Recorder } from "./recorder";
import type { Block } from "./tap";

/** Problems that another attempt to record does not end. */
const STANDING = [KERNEL_LOST.code, PROTOCOL_MISMATCH.code, "model"];
/** Seconds of silence that the kernel appends to a file, so that the model may answer its end. */
const FILE_TAIL_S = 1.0;
/** How long the room may echo after a reply was read aloud. */
const ECHO_MS = 300;

/** What the kernel is told of a recording that broke off. */
const CLOSE_REASON: Record<string, CloseReason> = {
  track_ended: "track_ended",
  revoked: "track_ended",
  stalled: "stalled",
  audio_closed: "stalled",
};

export interface InputOptions {
  page: string;
  host: CaptureHost;
}

export class AudioInput {
  readonly raw = new RawRing();
  readonly #recorder: Recorder;
  readonly #heldFile: HeldFile;
  #stream: OutgoingStream | null = null;
  /** The stream that is open or was last: its blocks may still be on their way. */
  #last: OutgoingStream | null = null;
  #streams = 0;
  /** The microphone's request that blocks belong to. */
  #micRequest = 0;
  #stopping: Promise<void> = Promise.resolve();
  #reported = "";
  /** Until when (Unix ms) a reply that was read aloud may still be heard. */
  #echoUntil = 0;

  constructor(
    private readonly store: Store,
    private readonly post: (message: BrowserMessage, payload?: Payload) => void,
    private readonly options: InputOptions,
  ) {
    this.#heldFile = new HeldFile(options.page, post);
    this.#recorder = new Recorder(
      {
        opened: (microphone) => this.#micOpened(microphone),
        block: (block, microphone) => this.#micBlock(block, microphone),
        failed: (problem) => this.#micFailed(problem),
        hindered: (problem) => this.#micHindered(problem),
        freed: (code) => this.#micFreed(code),
      },
      options.host,
    );
  }

  /** Whether a microphone records or a file plays, whichever page holds it. */
  get running(): boolean {
    return this.#recording || isPlaying(this.store.file.value);
  }

  get #recording(): boolean {
    return isRunning(this.store.mic.value);
  }

  /** Whether a stream is open at the kernel. */
  get streaming(): boolean {
    return this.#stream !== null;
  }

  /** Asks for the microphone and streams it until `stop`. */
  async record(): Promise<void> {
    if (this.running) return;
    this.store.file.value = null;
    this.#begin();
    const { request } = this.store.mic.value;
    await this.#stopping;
    if (this.store.mic.value.request !== request) return;
    this.#micRequest = request;
    const wishes = wishesOf(this.store);
    await this.#recorder.start(wishes);
    // What was chosen while the browser asked.
    if (JSON.stringify(wishes) !== JSON.stringify(wishesOf(this.store))) await this.adjust();
  }

  /** Lets the kernel play a file, which it reads from this page range by range. */
  async playFile(file: File, pace: Pace): Promise<void> {
    if (this.running) await this.stop("stopped");
    this.#dismissOld();
    this.#streams += 1;
    const { page } = this.options;
    const name = fitText(file.name);
    const stream = this.#streams;
    this.#heldFile.hold(stream, file);
    this.store.file.value = announced(name, page);
    this.post({ type: "play", stream, name, size: file.size, pace, tail_s: FILE_TAIL_S, page });
  }

  /** The kernel needs a part of the file. */
  answerNeed(need: Extract<KernelMessage, { type: "need" }>): void {
    void this.#heldFile.answer(need);
  }

  /** Holds microphone or file where it is, or goes on: meanwhile no audio is sent, and the session's clock stands. */
  pause(paused: boolean): void {
    if (isPlaying(this.store.file.value)) {
      const action = paused ? "pause" : "resume";
      this.post({ type: "file", action, reason: "stopped", page: this.options.page });
      return;
    }
    const before = this.store.mic.value;
    this.#move({ type: "pause", paused });
    if (this.store.mic.value === before) return;
    if (paused) this.#silence();
    this.#recorder.pause(paused).catch((error) => {
      // Closed meanwhile: then there is nothing to hold.
      this.#micHindered(captureProblem("interrupted", String(error)));
    });
  }

  mute(muted: boolean): void {
    this.store.muted.value = muted;
    this.#recorder.mute(muted);
    if (muted) this.#silence();
  }

  /** The loudspeaker talks, since a reply is read aloud or a chunk is played; or no longer does. */
  reading(aloud: boolean): void {
    const { readingAloud } = this.store;
    if (readingAloud.value === aloud) return;
    if (!aloud) this.#echoUntil = Date.now() + ECHO_MS;
    readingAloud.value = aloud;
  }

  /** Lets what is recorded follow the wishes, however they change: the settings, or sound from the loudspeaker. */
  follow(): () => void {
    let before: string | undefined;
    return computed(() => JSON.stringify(wishesOf(this.store))).subscribe((wishes) => {
      if (before !== undefined) void this.adjust();
      before = wishes;
    });
  }

  /** The microphone or its processing was chosen anew: what runs is changed, or opened again where it cannot be. */
  async adjust(): Promise<void> {
    const { mic } = this.store;
    const { request } = mic.value;
    if (!this.#recording) return;
    if (await this.#recorder.adjust(wishesOf(this.store))) return;
    if (mic.value.request !== request) return;
    const held = mic.value.phase === "paused";
    await this.stop("stopped");
    await this.record();
    if (held) this.pause(true);
  }

  /** The kernel took up a block. */
  acknowledged(stream: number, seq: number): void {
    if (stream !== this.#last?.stream) return;
    this.#last.ack(seq);
    this.#countUntaken();
  }

  /** Stops microphone or file; resolves when the last block and the close are on their way. */
  stop(reason: CloseReason): Promise<void> {
    this.#stopFile(reason);
    this.#stopping = this.#stop(reason);
    return this.#stopping;
  }

  async #stop(reason: CloseReason): Promise<void> {
    this.#move({ type: "stop" });
    // The microphone's partial block still belongs to the stream; it may even be its only one.
    await this.#recorder.stop();
    this.#closeStream(reason);
  }

  /** Ends at once and drops the partial block: the page, the view or the kernel is gone. */
  end(reason: CloseReason): void {
    this.#stopFile(reason);
    this.#recorder.release();
    this.#closeStream(reason);
    // Blocks on their way are not acknowledged any more: the kernel is gone, or listens to another page.
    this.#last = null;
    this.#countUntaken();
    this.#move({ type: "stop" });
  }

  /** A kernel that runs a cell takes nothing up, and cannot say so. */
  #countUntaken(): void {
    const waits = this.#last ? this.#last.untaken_s : 0;
    this.store.untaken.value = Math.floor(waits / CHUNK_SECONDS);
  }

  /** A person may stop any file; otherwise what ends is this page, and only its own file ends with it. */
  #stopFile(reason: CloseReason): void {
    const { file } = this.store;
    const { page } = this.options;
    if (reason === "kernel_lost") {
      file.value = null;
      return;
    }
    if (!isPlaying(file.value) || (reason !== "stopped" && file.value.page !== page)) return;
    const message = { type: "file", action: "stop", reason, page } as const;
    if (reason === "view_removed") leave(message);
    this.#heldFile.drop();
    file.value = { ...file.value, state: "stopped" };
    this.post(message);
  }

  #closeStream(reason: CloseReason): void {
    this.#stream?.close(reason);
    this.#stream = null;
    this.#silence();
  }

  #begin(): void {
    batch(() => {
      this.#dismissOld();
      this.#move({ type: "ask" });
    });
  }

  /** A new attempt: what was said of the one before is settled. */
  #dismissOld(): void {
    for (const problem of this.store.problems.value) {
      if (!STANDING.includes(problem.code)) dismissProblem(this.store, problem.code);
    }
    this.store.sentSeconds.value = 0;
  }

  #silence(): void {
    this.store.level.value = { peak: 0, rms: 0 };
  }

  #openStream(name: string, rate: number, track: Record<string, unknown>): OutgoingStream {
    this.#streams += 1;
    const { page } = this.options;
    const { clock } = this.store.latency;
    const opening = { stream: this.#streams, name, rate, page, track };
    this.#stream = new OutgoingStream({ ...opening, offset: () => clock.ms }, this.post);
    this.#last = this.#stream;
    this.store.captureLag.value = 0;
    return this.#stream;
  }

  #micOpened(microphone: OpenMicrophone | null): void {
    const { store } = this;
    store.track.value = microphone && { ...microphone.track, rate: microphone.rate, name: microphone.name };
    const wished = store.live.value.device;
    if (microphone?.device && wished && microphone.device !== wished) {
      showProblem(store, captureProblem("device_absent"));
    } else if (microphone) {
      dismissProblem(store, "device_absent");
    }
  }

  #micBlock(block: Block, { rate, name, degraded, track }: OpenMicrophone): void {
    if (degraded && !this.#stream) showProblem(this.store, captureProblem("degraded"));
    const stream = this.#stream ?? this.#openStream(name, rate, track);
    const gated = this.#gated();
    const samples = gated ? new Float32Array(block.samples.length) : block.samples;
    const sent = stream.send(samples, block.time_s, block.captured_ms, gated);
    if (!sent) return;
    this.#sent(samples, sent, { request: this.#micRequest, name, degraded });
  }

  #gated(): boolean {
    const { muted, readingAloud, live } = this.store;
    if (muted.value) return true;
    return live.value.reading === "mute" && (readingAloud.value || Date.now() < this.#echoUntil);
  }

  #sent(
    samples: Float32Array,
    sent: SentBlock,
    from: { request: number; name: string; degraded: boolean },
  ): void {
    // Sending may have found the kernel gone.
    if (!this.#stream) return;
    const { stream, seconds, rate } = this.#stream;
    this.store.latency.blockSent(stream, sent);
    this.raw.push(stream, sent.seq, rate, samples);
    let peak = 0;
    let power = 0;
    for (const sample of samples) {
      peak = Math.max(peak, Math.abs(sample));
      power += sample * sample;
    }
    this.store.level.value = { peak, rms: Math.sqrt(power / samples.length) };
    batch(() => {
      this.store.sentSeconds.value = seconds;
      this.#countUntaken();
      this.store.captureLag.value = captureLag(this.store, this.#stream, sent);
      this.#move({ type: "heard", ...from });
    });
  }

  #micFailed(problem: Problem): void {
    this.#closeStream(CLOSE_REASON[problem.code] ?? "error");
    showProblem(this.store, problem);
    this.#move({ type: "fail", request: this.store.mic.value.request, problem });
  }

  #micHindered(problem: Problem): void {
    showProblem(this.store, problem);
    this.#move({ type: "hindered", request: this.store.mic.value.request, problem });
  }

  #micFreed(code: string): void {
    dismissProblem(this.store, code);
    const { request, problem } = this.store.mic.value;
    if (problem?.code === code) this.#move({ type: "freed", request });
  }

  /** Moves the microphone's state and tells the kernel where it is something new. */
  #move(event: Parameters<typeof moveMic>[1]): void {
    if (!moveMic(this.store, event)) return;
    const { phase, problem } = this.store.mic.value;
    const report = `${phase}/${problem?.code ?? ""}`;
    if (report === this.#reported) return;
    this.#reported = report;
    const message = problem ? fitText(`${problem.sentence} ${problem.wayOut}`) : "";
    this.post({ type: "state", state: phase, problem: problem?.code ?? "", message });
  }
}
