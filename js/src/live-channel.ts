/**
 * What the channels to a kernel and to an engine in the page have in common: store, microphone, loudspeaker, and the views
 * that are shown. A subclass takes what the audio input sends.
 */
import { computed } from "@preact/signals";
import { DeviceList } from "./capture/devices";
import { watchHidden } from "./capture/hidden";
import { browserHost, type CaptureHost } from "./capture/host";
import { AudioInput } from "./capture/input";
import { rawSound } from "./capture/raw-ring";
import { KernelClips } from "./channel/kernel-clips";
import type { Payload } from "./channel/link";
import type { BrowserMessage, CloseReason } from "./channel/messages";
import { ChunkPlayer } from "./playback/chunk-player";
import { clearWithRecord, Replay } from "./playback/replay";
import type { Fetched, Sound } from "./playback/sound";
import { Speech } from "./speech/speech";
import { isPlaying } from "./store/playing";
import type { Problem } from "./store/problem";
import { dismissProblem, type Store } from "./store/store";

/**
 * Time that a view may be absent while the host moves it (a dragged cell), in milliseconds; then the microphone is
 * released.
 */
const VIEW_GRACE_MS = 250;

export abstract class LiveChannel {
  /** Reads replies aloud; meanwhile the setting `reading` decides about the microphone. */
  readonly speech = new Speech();
  /** Plays chunks; the microphone would record them like a reply that is read aloud. */
  readonly player: ChunkPlayer;
  /** Replays the audio that is kept. */
  readonly replay: Replay;
  readonly ongoing = true;
  protected readonly input: AudioInput;
  protected readonly devices: DeviceList;
  #views = 0;
  #grace: ReturnType<typeof setTimeout> | undefined;
  #effects: (() => void)[] = [];

  protected constructor(
    readonly store: Store,
    page: string,
    captureHost?: CaptureHost,
  ) {
    const host = captureHost ?? browserHost();
    this.player = new ChunkPlayer(this);
    this.replay = new Replay(new KernelClips(this));
    this.input = new AudioInput(store, (message, payload) => this.take(message, payload), { page, host });
    this.devices = new DeviceList(host, (devices) => {
      store.devices.value = devices;
    });
  }

  /** Take a message of the audio input. */
  protected abstract take(message: BrowserMessage, payload?: Payload): void;
  /** Fetch the sound of a chunk as the model heard it, or the reason why there is none. */
  abstract fetchAudio(chunk: number): Promise<Fetched>;

  /** Follow the loudspeaker, the settings of the microphone, and the page's visibility. */
  protected follow(): void {
    const { store } = this;
    globalThis.addEventListener?.("pagehide", this.#onPageHide);
    this.#effects = [
      computed(
        () => this.player.audible.value || this.replay.playing.value || this.speech.reading.value !== null,
      ).subscribe((loud) => this.input.reading(loud)),
      clearWithRecord(this.replay, store),
      this.input.follow(),
      watchHidden(store),
    ];
    this.devices.start();
  }

  /** Release microphone and loudspeaker for good. */
  protected release(): void {
    for (const stop of this.#effects) stop();
    clearTimeout(this.#grace);
    this.speech.end();
    this.player.end();
    this.replay.end();
    this.input.end("view_removed");
    this.devices.end();
    globalThis.removeEventListener?.("pagehide", this.#onPageHide);
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
      this.input.end("view_removed");
    }, VIEW_GRACE_MS);
  }

  get running(): boolean {
    return this.input.running;
  }

  /** Stop microphone or file; resolves when the last block and the close were sent. */
  stop(reason: CloseReason = "stopped"): Promise<void> {
    return this.input.stop(reason);
  }

  /** Suspend or resume the audio: the stream stays open and the session's clock stops meanwhile. */
  pause(paused: boolean): void {
    this.input.pause(paused);
  }

  /** Send silence in place of the microphone, or the microphone again. */
  mute(muted: boolean): void {
    this.input.mute(muted);
  }

  /** Request the microphone and stream it until `stop`. */
  protected async openMicrophone(): Promise<void> {
    this.input.mute(false);
    await this.input.record();
    // Devices have names only after the permission was given.
    await this.devices.refresh();
  }

  /** Stop the audio for a new session, without the problem and the raw sound of the old one. */
  protected async clearSession(): Promise<void> {
    await this.stop("reset");
    dismissProblem(this.store, "model");
    this.input.raw.clear();
  }

  /**
   * Return the sound of a chunk as the device delivered it; null if this page did not record it or has discarded it.
   */
  rawAudio(chunk: number): Sound | null {
    return rawSound(this.store, this.input.raw, chunk);
  }

  /** Remove the line about a file that has ended. */
  dismissFile(): void {
    if (!isPlaying(this.store.file.value)) this.store.file.value = null;
  }

  dismiss(problem: Problem): void {
    dismissProblem(this.store, problem.code);
  }

  readonly #onPageHide = (): void => this.input.end("view_removed");
}
