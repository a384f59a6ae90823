/** Owns the microphone: asks for it, turns its sound into blocks, and gives it back in every case. */
import type { Problem } from "../store/problem";
import { browserHost, type CaptureHost, type CaptureWishes, constraintsOf, granted } from "./host";
import { captureProblem, microphoneProblem, policyProblem } from "./problems";
import type { Block, Tap } from "./tap";

/** The microphone that is open, as the browser reports it. */
export interface OpenMicrophone {
  /** Name of the device. */
  name: string;
  /** Samples per second of its blocks. */
  rate: number;
  /** The track's own settings, ids left out: they say what was granted, not what was asked. */
  track: Record<string, unknown>;
  /** Id of the device that was given, which need not be the one that was wished for. */
  device: string;
  /** Recorded through the old ScriptProcessor, which may lose samples when the page is busy. */
  degraded: boolean;
}

export interface RecorderListener {
  /** A microphone is open (its light is on), or was given back (null). */
  opened(microphone: OpenMicrophone | null): void;
  block(block: Block, microphone: OpenMicrophone): void;
  /** Recording could not start, or broke off. The microphone is already released. */
  failed(problem: Problem): void;
  /** Sound is held up but may come back. */
  hindered(problem: Problem): void;
  /** It has. */
  freed(code: string): void;
}

/** How long a granted microphone may stay without its first block: wireless ones take seconds to start. */
const FIRST_BLOCK_MS = 6000;
/** How long it may stay without a block afterwards. */
export const STALL_MS = 2000;
/** How often that is looked at. Browsers slow the timers of hidden pages, mostly to one a second: then it is two looks. */
const LOOK_MS = 500;

interface Recording {
  media: MediaStream;
  context: AudioContext | null;
  tap: Tap | null;
  microphone: OpenMicrophone | null;
  /** Id of the device that was asked for; empty for the browser's choice. */
  wished: string;
  paused: boolean;
  /** Whether a block has come. */
  heard: boolean;
  /** For how long none has, in ms; what the page itself stood still is counted as one look. */
  quiet_ms: number;
  lookedAt: number;
  watchdog: ReturnType<typeof setInterval> | undefined;
}

export class Recorder {
  /** Raised by every start and stop; work begun under another number is undone as soon as it returns. */
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
      // Our own close takes this handler away first.
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
      // Stopped meanwhile: release() has closed the context, and with it the graph.
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

  /** Notices that no block comes any more; the code of the problem, or null while all is well. */
  #stall(recording: Recording, context: AudioContext): "stalled" | "no_audio" | null {
    const now = performance.now();
    // A page that stood still, or slept, has blocks waiting behind this very look.
    const passed = Math.min(now - recording.lookedAt, 2 * LOOK_MS);
    recording.lookedAt = now;
    // The system holds the audio, which is told, or the person does: neither is a fault of the microphone.
    if (recording.paused || (recording.heard && context.state !== "running")) recording.quiet_ms = 0;
    else recording.quiet_ms += passed;
    if (recording.quiet_ms < (recording.heard ? STALL_MS : FIRST_BLOCK_MS)) return null;
    return recording.heard ? "stalled" : "no_audio";
  }

  #watchTrack(track: MediaStreamTrack, current: () => boolean, ended: () => void): void {
    // Not fired where code of the page stops the track: the look at it, twice a second, finds that.
    track.addEventListener("ended", ended);
    // The device's own switch, or the system's; ours only disables the track and fires neither.
    track.addEventListener("mute", () => {
      if (current()) this.listener.hindered(captureProblem("muted_by_system"));
    });
    track.addEventListener("unmute", () => {
      if (current()) this.listener.freed("muted_by_system");
    });
  }

  /** Silences the microphone, or lets it be heard again; the track and the graph stay. */
  mute(muted: boolean): void {
    this.#muted = muted;
    for (const track of this.#recording?.media.getAudioTracks() ?? []) track.enabled = !muted;
  }

  /** Holds the audio clock: no block comes until it is let go on. The device stays open. */
  async pause(paused: boolean): Promise<void> {
    const recording = this.#recording;
    if (!recording?.context) return;
    recording.paused = paused;
    await (paused ? recording.context.suspend() : recording.context.resume());
  }

  /** Asks the open track for other processing. False where it cannot do so without being opened anew. */
  async adjust(wishes: CaptureWishes): Promise<boolean> {
    const recording = this.#recording;
    const track = recording?.media.getAudioTracks()[0];
    if (!recording?.microphone || !track) return true;
    if (wishes.device !== recording.wished) return false;
    try {
      await track.applyConstraints(constraintsOf(wishes));
    } catch {
      // Overconstrained: this browser decides once, when the track is opened.
      return false;
    }
    if (this.#recording !== recording) return true;
    Object.assign(recording.microphone, describe(track));
    this.listener.opened(recording.microphone);
    return granted(track, wishes);
  }

  /** Stops recording; resolves when the last, partial block has been handed over. Tracks stop at once. */
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

  /** Gives everything back now, without waiting for the partial block. */
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

/** The browser's description of a track, without device ids: these are private and mean nothing elsewhere. */
function describe(track: MediaStreamTrack): Pick<OpenMicrophone, "name" | "track" | "device"> {
  const { deviceId = "", groupId: _, ...settings } = track.getSettings?.() ?? {};
  return { name: track.label, track: settings, device: deviceId };
}
