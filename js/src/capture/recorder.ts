/** Recorder: owner of the microphone, which it requests, cuts into blocks, and always releases. */
import type { Problem } from "../store/problem";
import { browserHost, type CaptureHost, type CaptureWishes, constraintsOf, granted } from "./host";
import { captureProblem, microphoneProblem, policyProblem } from "./problems";
import type { Block, Tap } from "./tap";

/** Open microphone, as the browser reports it. */
export interface OpenMicrophone {
  /** Name of the device. */
  name: string;
  /** Sample rate of its blocks, in Hz. */
  rate: number;
  /** Settings of the track without ids: what was granted, not what was requested. */
  track: Record<string, unknown>;
  /** Id of the granted device, which may differ from the requested one. */
  device: string;
  /** Whether the deprecated ScriptProcessor records, which may lose samples while the page is busy. */
  degraded: boolean;
}

export interface RecorderListener {
  /** Report that a microphone was opened (its light is on), or released (null). */
  opened(microphone: OpenMicrophone | null): void;
  block(block: Block, microphone: OpenMicrophone): void;
  /** Report that recording could not start, or broke off. The microphone is already released. */
  failed(problem: Problem): void;
  /** Report that the sound is suspended, but may resume. */
  hindered(problem: Problem): void;
  /** Report that the sound has resumed. */
  freed(code: string): void;
}

/** Timeout of a granted microphone's first block, in milliseconds: wireless devices start after seconds. */
const FIRST_BLOCK_MS = 6000;
/** Timeout of each later block, in milliseconds. */
export const STALL_MS = 2000;
/**
 * Interval of the check for timeouts, in milliseconds. Browsers throttle the timers of hidden pages, mostly to one a
 * second.
 */
const LOOK_MS = 500;

interface Recording {
  media: MediaStream;
  context: AudioContext | null;
  tap: Tap | null;
  microphone: OpenMicrophone | null;
  /** Id of the requested device; empty for the browser's choice. */
  wished: string;
  paused: boolean;
  /** Whether a block has arrived. */
  heard: boolean;
  /** Time without a block in ms; an interruption of the page itself counts as one interval. */
  quiet_ms: number;
  lookedAt: number;
  watchdog: ReturnType<typeof setInterval> | undefined;
}

export class Recorder {
  /** Incremented by each start and stop; work that began under another number is undone when it returns. */
  #request = 0;
  #recording: Recording | null = null;
  #muted = false;

  constructor(
    private readonly listener: RecorderListener,
    private readonly host: CaptureHost = browserHost(),
  ) {}

  async start(wishes: CaptureWishes): Promise<void> {
    this.release();
    const request = ++this.#request;
    const current = () => request === this.#request;
    const fail = (problem: Problem) => {
      if (!current()) return;
      this.release();
      this.listener.failed(problem);
    };
    const { devices, secure } = this.host;
    if (!secure) return fail(captureProblem("insecure_origin"));
    if (!devices) {
      const hindrance = this.host.hindrance();
      return fail(hindrance ? policyProblem(hindrance) : captureProblem("unsupported"));
    }

    let media: MediaStream;
    try {
      media = await devices.getUserMedia({ audio: constraintsOf(wishes) });
    } catch (error) {
      const permission = await this.host.permission().catch(() => null);
      return fail(microphoneProblem(error, permission, this.host.hindrance()));
    }
    if (!current()) return stopTracks(media);
    const recording: Recording = {
      media,
      context: null,
      tap: null,
      microphone: null,
      wished: wishes.device,
      paused: false,
      heard: false,
      quiet_ms: 0,
      lookedAt: performance.now(),
      watchdog: undefined,
    };
    this.#recording = recording;
    try {
      await this.#listen(recording, current, fail);
    } catch (error) {
      fail(captureProblem("capture_failed", String(error)));
    }
  }

  async #listen(recording: Recording, current: () => boolean, fail: (problem: Problem) => void) {
    const track = recording.media.getAudioTracks()[0];
    if (!track) return fail(captureProblem("no_device"));
    track.enabled = !this.#muted;
    const ended = async () => {
      const permission = await this.host.permission().catch(() => null);
      fail(captureProblem(permission === "denied" ? "revoked" : "track_ended"));
    };
    this.#watchTrack(track, current, ended);

    const context = this.host.createContext();
    recording.context = context;
    const microphone: OpenMicrophone = {
      ...describe(track),
      rate: Math.round(context.sampleRate),
      degraded: false,
    };
    recording.microphone = microphone;
    this.listener.opened(microphone);
    context.onstatechange = () => {
      if (!current()) return;
      // Our own close removes this handler first.
      if (context.state === "closed") return fail(captureProblem("audio_closed"));
      if (recording.paused) return;
      if (context.state === "running") return this.listener.freed("interrupted");
      this.listener.hindered(captureProblem("interrupted"));
      context.resume().catch(() => {});
    };
    const tap = await this.host.openTap(context, (block) => {
      if (this.#recording !== recording) return;
      recording.heard = true;
      recording.quiet_ms = 0;
      this.listener.block(block, microphone);
    });
    if (!current()) {
      // Stopped meanwhile: release() has closed the context with its graph.
      tap.close();
      return;
    }
    recording.tap = tap;
    microphone.degraded = tap.degraded;
    recording.lookedAt = performance.now();
    const look = () => {
      if (track.readyState === "ended") return void ended();
      const problem = context.state === "closed" ? "audio_closed" : this.#stall(recording, context);
      if (problem) fail(captureProblem(problem));
    };
    recording.watchdog = setInterval(look, LOOK_MS);
    tap.connect(context.createMediaStreamSource(recording.media));
    if (context.state !== "running") await context.resume();
  }

  /** Count the time without a block; return the code of a timeout's problem, or null. */
  #stall(recording: Recording, context: AudioContext): "stalled" | "no_audio" | null {
    const now = performance.now();
    // After an interruption of the page, blocks are queued behind this very timer.
    const passed = Math.min(now - recording.lookedAt, 2 * LOOK_MS);
    recording.lookedAt = now;
    // The system suspends the audio, which is reported elsewhere, or the person does: neither is a fault.
    if (recording.paused || (recording.heard && context.state !== "running")) recording.quiet_ms = 0;
    else recording.quiet_ms += passed;
    if (recording.quiet_ms < (recording.heard ? STALL_MS : FIRST_BLOCK_MS)) return null;
    return recording.heard ? "stalled" : "no_audio";
  }

  #watchTrack(track: MediaStreamTrack, current: () => boolean, ended: () => void): void {
    // The event is not fired if code of the page stops the track; the check twice a second detects that.
    track.addEventListener("ended", ended);
    // Fired by a switch of the device or the system; our own mute only disables the track, which fires neither
    // event.
    track.addEventListener("mute", () => {
      if (current()) this.listener.hindered(captureProblem("muted_by_system"));
    });
    track.addEventListener("unmute", () => {
      if (current()) this.listener.freed("muted_by_system");
    });
  }

  /** Mute or unmute the microphone; track and graph are kept. */
  mute(muted: boolean): void {
    this.#muted = muted;
    for (const track of this.#recording?.media.getAudioTracks() ?? []) track.enabled = !muted;
  }

  /** Suspend or resume the audio clock; a suspended clock delivers no block. The device stays open. */
  async pause(paused: boolean): Promise<void> {
    const recording = this.#recording;
    if (!recording?.context) return;
    recording.paused = paused;
    await (paused ? recording.context.suspend() : recording.context.resume());
  }

  /** Request other processing of the open track. Return false if the device must be opened again. */
  async adjust(wishes: CaptureWishes): Promise<boolean> {
    const recording = this.#recording;
    const track = recording?.media.getAudioTracks()[0];
    if (!recording?.microphone || !track) return true;
    if (wishes.device !== recording.wished) return false;
    try {
      await track.applyConstraints(constraintsOf(wishes));
    } catch {
      // Overconstrained: this browser sets the processing only when the track is opened.
      return false;
    }
    if (this.#recording !== recording) return true;
    Object.assign(recording.microphone, describe(track));
    this.listener.opened(recording.microphone);
    return granted(track, wishes);
  }

  /** Stop recording; resolves when the last, partial block was delivered. Tracks stop at once. */
  async stop(): Promise<void> {
    this.#request += 1;
    const recording = this.#recording;
    if (!recording) return;
    clearInterval(recording.watchdog);
    if (recording.context) recording.context.onstatechange = null;
    const flushed = recording.tap?.flush();
    stopTracks(recording.media);
    await flushed;
    if (this.#recording === recording) this.release();
  }

  /** Release everything now, without waiting for the partial block. */
  release(): void {
    this.#request += 1;
    const recording = this.#recording;
    this.#recording = null;
    if (!recording) return;
    clearInterval(recording.watchdog);
    stopTracks(recording.media);
    recording.tap?.close();
    if (recording.context) {
      recording.context.onstatechange = null;
      recording.context.close().catch(() => {});
    }
    this.listener.opened(null);
  }
}

function stopTracks(media: MediaStream): void {
  for (const track of media.getTracks()) track.stop();
}

/** Describe a track without device ids, which are private and valid on this site only. */
function describe(track: MediaStreamTrack): Pick<OpenMicrophone, "name" | "track" | "device"> {
  const { deviceId = "", groupId: _, ...settings } = track.getSettings?.() ?? {};
  return { name: track.label, track: settings, device: deviceId };
}
