/** Audio input: a microphone or a file, one at a time, and its start, pause, mute, gate and end. */
import { batch, computed } from "@preact/signals";
import { HeldFile } from "../channel/held-file";
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
import { type CaptureHost, wishesOf } from "./host";
import { captureProblem } from "./problems";
import { RawRing } from "./raw-ring";
import { type OpenMicrophone, Recorder } from "./recorder";
import type { Block } from "./tap";

/** Codes of the problems that a new recording does not solve. */
const STANDING = [KERNEL_LOST.code, PROTOCOL_MISMATCH.code, "model"];
/** Seconds of silence that the kernel appends to a file, so that the model can reply to its end. */
export const FILE_TAIL_S = 1.0;
/** Time after a reply was read aloud during which the room may still echo, in milliseconds. */
const ECHO_MS = 300;

/** Reason in the `close` message, by the code of the problem that ended the recording. */
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
  /** Stream that is open or was open last: its blocks may still be under way. */
  #last: OutgoingStream | null = null;
  #streams = 0;
  /** Number of the microphone's request that blocks belong to. */
  #micRequest = 0;
  #stopping: Promise<void> = Promise.resolve();
  #reported = "";
  /** End of the echo of a reply that was read aloud, in Unix ms. */
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

  /** Whether a microphone records or a file plays, on any page. */
  get running(): boolean {
    return this.#recording || isPlaying(this.store.file.value);
  }

  get #recording(): boolean {
    return isRunning(this.store.mic.value);
  }

  /** Whether the kernel has an open stream of this page. */
  get streaming(): boolean {
    return this.#stream !== null;
  }

  /** Request the microphone and stream it until `stop`. */
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
    // The wishes may have changed while the browser asked for the permission.
    if (JSON.stringify(wishes) !== JSON.stringify(wishesOf(this.store))) await this.adjust();
  }

  /** Return the next stream number; microphone, file and recording share one count. */
  nextStream(): number {
    return ++this.#streams;
  }

  /** Have the kernel play a file, which it reads from this page range by range. */
  async playFile(file: File, pace: Pace): Promise<void> {
    if (this.running) await this.stop("stopped");
    this.dismissOld();
    const { page } = this.options;
    const name = fitText(file.name);
    const stream = this.nextStream();
    this.#heldFile.hold(stream, file);
    this.store.file.value = announced(name, page);
    this.post({ type: "play", stream, name, size: file.size, pace, tail_s: FILE_TAIL_S, page });
  }

  /** Send the part of the file that the kernel requests. */
  answerNeed(need: Extract<KernelMessage, { type: "need" }>): void {
    void this.#heldFile.answer(need);
  }

  /** Suspend or resume microphone or file. While suspended, no audio is sent, and the session's clock stops. */
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
      // Closed meanwhile: then there is nothing to suspend.
      this.#micHindered(captureProblem("interrupted", String(error)));
    });
  }

  mute(muted: boolean): void {
    this.store.muted.value = muted;
    this.#recorder.mute(muted);
    if (muted) this.#silence();
  }

  /** Set whether the loudspeaker is audible, because a reply is read aloud or a chunk is played. */
  reading(aloud: boolean): void {
    const { readingAloud } = this.store;
    if (readingAloud.value === aloud) return;
    if (!aloud) this.#echoUntil = Date.now() + ECHO_MS;
    readingAloud.value = aloud;
  }

  /**
   * Apply changed wishes to the recording; they follow from the settings and from the loudspeaker. Returns the
   * unsubscribe function.
   */
  follow(): () => void {
    let before: string | undefined;
    return computed(() => JSON.stringify(wishesOf(this.store))).subscribe((wishes) => {
      if (before !== undefined) void this.adjust();
      before = wishes;
    });
  }

  /** Apply the wishes to the open microphone, or open it again if the track cannot be changed. */
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

  /** Note that the kernel acknowledged a block. */
  acknowledged(stream: number, seq: number): void {
    if (stream !== this.#last?.stream) return;
    this.#last.ack(seq);
    this.#countUntaken();
  }

  /** Stop microphone or file; resolves when the last block and the close were sent. */
  stop(reason: CloseReason): Promise<void> {
    this.#stopFile(reason);
    this.#stopping = this.#stop(reason);
    return this.#stopping;
  }

  async #stop(reason: CloseReason): Promise<void> {
    this.#move({ type: "stop" });
    // The microphone's partial block still belongs to the stream; it may be the only one.
    await this.#recorder.stop();
    this.#closeStream(reason);
  }

  /** End at once and drop the partial block, because the page, the view or the kernel is gone. */
  end(reason: CloseReason): void {
    this.#stopFile(reason);
    this.#recorder.release();
    this.#closeStream(reason);
    // Blocks under way are not acknowledged any more: the kernel is gone, or accepts another page's audio.
    this.#last = null;
    this.#countUntaken();
    this.#move({ type: "stop" });
  }

  /** Count the unacknowledged chunks: a kernel that runs a cell acknowledges nothing. */
  #countUntaken(): void {
    const waits = this.#last ? this.#last.untaken_s : 0;
    this.store.untaken.value = Math.floor(waits / CHUNK_SECONDS);
  }

  /** Stop the file: any file at a person's request; for other reasons only this page's file. */
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
      this.dismissOld();
      this.#move({ type: "ask" });
    });
  }

  /** Dismiss the problems of the previous attempt. */
  dismissOld(): void {
    for (const problem of this.store.problems.value) {
      if (!STANDING.includes(problem.code)) dismissProblem(this.store, problem.code);
    }
    this.store.sentSeconds.value = 0;
  }

  #silence(): void {
    this.store.level.value = { peak: 0, rms: 0 };
  }

  #openStream(name: string, rate: number, track: Record<string, unknown>): OutgoingStream {
    const { page } = this.options;
    const { clock } = this.store.latency;
    const opening = { stream: this.nextStream(), name, rate, page, track };
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
    // Sending may have detected that the kernel is gone.
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

  /** Apply an event to the microphone's state, and report a changed state to the kernel. */
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
