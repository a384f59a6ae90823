/** Owns the microphone: asks for it, turns its sound into blocks, and gives it back in every case. */
import type { Problem } from "../problem";
import { captureProblem, microphoneProblem } from "./problems";
import { type OnBlock, openTap, type Tap } from "./tap";

/** The browser's part, replaceable in tests. */
export interface CaptureHost {
  secure: boolean;
  devices: Pick<MediaDevices, "getUserMedia"> | undefined;
  createContext(): AudioContext;
  openTap(context: AudioContext, onBlock: OnBlock): Promise<Tap>;
  /** What the browser says of the permission: granted, denied, prompt; null where it cannot say. */
  permission(): Promise<string | null>;
  /** Whether the page's embedding allows the microphone at all. */
  policyAllows(): boolean;
}

export interface RecorderListener {
  /** A block arrived; `name` is the device's. */
  block(samples: Float32Array, time_s: number, rate: number, name: string, degraded: boolean): void;
  /** Recording could not start, or broke off. The microphone is already released. */
  failed(problem: Problem): void;
  /** Sound is held up but may come back (null: it has). */
  hindered(problem: Problem | null): void;
}

/** A model that listens to coughs and alarms must hear what the microphone hears. */
export const MIC_CONSTRAINTS: MediaStreamConstraints = {
  audio: {
    echoCancellation: false,
    noiseSuppression: false,
    autoGainControl: false,
    channelCount: { ideal: 1 },
  },
};

/** How long a granted microphone may stay without a single block. */
const FIRST_BLOCK_MS = 6000;

interface Recording {
  media: MediaStream;
  context: AudioContext | null;
  tap: Tap | null;
  watchdog: ReturnType<typeof setTimeout> | undefined;
}

export class Recorder {
  /** Raised by every start and stop; work begun under another number is undone as soon as it returns. */
  #request = 0;
  #recording: Recording | null = null;

  constructor(
    private readonly listener: RecorderListener,
    private readonly host: CaptureHost = browserHost(),
  ) {}

  async start(): Promise<void> {
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
    if (!devices) return fail(captureProblem("unsupported"));

    let media: MediaStream;
    try {
      media = await devices.getUserMedia(MIC_CONSTRAINTS);
    } catch (error) {
      const permission = await this.host.permission().catch(() => null);
      return fail(microphoneProblem(error, permission, this.host.policyAllows()));
    }
    if (!current()) return stopTracks(media);
    const recording: Recording = { media, context: null, tap: null, watchdog: undefined };
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
    track.addEventListener("ended", () => fail(captureProblem("track_ended")));

    const context = this.host.createContext();
    recording.context = context;
    context.onstatechange = () => {
      if (!current() || context.state === "closed") return;
      if (context.state === "running") return this.listener.hindered(null);
      this.listener.hindered(captureProblem("interrupted"));
      context.resume().catch(() => {});
    };
    const tap = await this.host.openTap(context, (samples, time_s) => {
      if (this.#recording !== recording) return;
      clearTimeout(recording.watchdog);
      this.listener.block(samples, time_s, Math.round(context.sampleRate), track.label, tap.degraded);
    });
    if (!current()) {
      // Stopped meanwhile: release() has closed the context, and with it the graph.
      tap.close();
      return;
    }
    recording.tap = tap;
    recording.watchdog = setTimeout(() => fail(captureProblem("no_audio")), FIRST_BLOCK_MS);
    tap.connect(context.createMediaStreamSource(recording.media));
    if (context.state !== "running") await context.resume();
  }

  /** Stops recording; resolves when the last, partial block has been handed over. Tracks stop at once. */
  async stop(): Promise<void> {
    this.#request += 1;
    const recording = this.#recording;
    if (!recording) return;
    clearTimeout(recording.watchdog);
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
    clearTimeout(recording.watchdog);
    stopTracks(recording.media);
    recording.tap?.close();
    if (recording.context) {
      recording.context.onstatechange = null;
      recording.context.close().catch(() => {});
    }
  }
}

function stopTracks(media: MediaStream): void {
  for (const track of media.getTracks()) track.stop();
}

function browserHost(): CaptureHost {
  return {
    get secure() {
      return globalThis.isSecureContext;
    },
    get devices() {
      return globalThis.navigator?.mediaDevices;
    },
    // Never ask for a rate: the device's own is the only one that every browser can record.
    createContext: () => new AudioContext({ latencyHint: "interactive" }),
    openTap,
    permission: async () => {
      const status = await navigator.permissions.query({ name: "microphone" as PermissionName });
      return status.state;
    },
    policyAllows: () => {
      const page = document as Document & { featurePolicy?: { allowsFeature(name: string): boolean } };
      return page.featurePolicy?.allowsFeature("microphone") ?? true;
    },
  };
}
