/** Replay of a record: position, speed, a selected span, and a loop. One per channel; all views show its cursor. */

import { batch, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Store } from "../store/store";
import type { Clip, ClipSource, Player } from "./clip";
import { CANNOT_PLAY } from "./playback";

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2] as const;

/** Span of the session, in seconds. */
export interface Span {
  from_s: number;
  to_s: number;
}

export interface ReplayOptions {
  createPlayer?: () => Player;
  /** Request a callback at the next frame; returns the cancel function. */
  nextFrame?: (tick: () => void) => () => void;
}

export class Replay {
  readonly #position: Signal<number | null> = signal(null);
  readonly #playing = signal(false);
  readonly #speed = signal(1);
  readonly #span: Signal<Span | null> = signal(null);
  readonly #looping = signal(false);
  readonly #said = signal("");
  readonly #createPlayer: () => Player;
  readonly #nextFrame: (tick: () => void) => () => void;
  #player: Player | null = null;
  #clip: Clip | null = null;
  /** Number of position changes: a clip that was loaded for an older position is dropped. */
  #request = 0;
  #cancel: (() => void) | null = null;

  constructor(
    private readonly source: ClipSource,
    options: ReplayOptions = {},
  ) {
    this.#createPlayer = options.createPlayer ?? createAudio;
    this.#nextFrame = options.nextFrame ?? nextFrame;
  }

  /** Position in seconds of the session; null before the first use. */
  get position(): ReadonlySignal<number | null> {
    return this.#position;
  }

  get playing(): ReadonlySignal<boolean> {
    return this.#playing;
  }

  /** Speed in multiples of real time. */
  get speed(): ReadonlySignal<number> {
    return this.#speed;
  }

  /** Selected span of the timeline, within which the replay stays. */
  get span(): ReadonlySignal<Span | null> {
    return this.#span;
  }

  /** Whether the span, or the whole record, is repeated. */
  get looping(): ReadonlySignal<boolean> {
    return this.#looping;
  }

  /** Reason why there is no sound; empty if nothing failed. */
  get said(): ReadonlySignal<string> {
    return this.#said;
  }

  toggle(): void {
    if (this.#playing.peek()) this.pause();
    else void this.play();
  }

  /** Play from the cursor; from the start if the cursor is at the end or outside of the selected span. */
  async play(): Promise<void> {
    const { from_s, to_s } = this.#bounds();
    const at = this.#position.peek();
    const begin = at === null || at < from_s - 1e-6 || at >= to_s - 0.01 ? from_s : at;
    batch(() => {
      this.#said.value = "";
      this.#playing.value = true;
      this.#position.value = begin;
    });
    await this.#start(begin);
  }

  pause(): void {
    this.#request += 1;
    this.#cancel?.();
    this.#cancel = null;
    this.#player?.pause();
    this.#playing.value = false;
  }

  /** Move the cursor, playing or not. */
  seek(seconds: number): void {
    const to = Math.max(0, Math.min(seconds, this.source.end_s()));
    this.#position.value = to;
    if (this.#playing.peek()) void this.#start(to);
  }

  setSpeed(speed: number): void {
    this.#speed.value = speed;
    if (this.#player) this.#player.playbackRate = speed;
  }

  /** Select a span; null clears the selection. The ends are sorted and limited to the record. */
  select(span: Span | null): void {
    if (!span) {
      this.#span.value = null;
      return;
    }
    const [from, to] = span.from_s <= span.to_s ? [span.from_s, span.to_s] : [span.to_s, span.from_s];
    const from_s = Math.max(0, from);
    const to_s = Math.min(this.source.end_s(), to);
    this.#span.value = to_s > from_s ? { from_s, to_s } : null;
  }

  setLooping(looping: boolean): void {
    this.#looping.value = looping;
  }

  /** Return to the state before the first use, because another record is shown. */
  clear(): void {
    this.pause();
    this.#drop();
    batch(() => {
      this.#position.value = null;
      this.#span.value = null;
      this.#said.value = "";
    });
  }

  /** Release the loudspeaker and the sound. */
  end(): void {
    this.clear();
    this.#player?.removeAttribute("src");
    this.#player = null;
  }

  #bounds(): Span {
    return this.#span.peek() ?? { from_s: 0, to_s: this.source.end_s() };
  }

  async #start(at: number): Promise<void> {
    this.#request += 1;
    const request = this.#request;
    const stale = () => request !== this.#request;
    try {
      if (!this.#holds(at)) {
        this.#player?.pause();
        const clip = await this.source.clipAt(at);
        if (stale()) {
          if ("url" in clip) clip.release();
          return;
        }
        if ("why" in clip) {
          this.#fail(clip.why);
          return;
        }
        this.#drop();
        this.#clip = clip;
        this.#made().src = clip.url;
      }
      const player = this.#made();
      player.currentTime = at - (this.#clip?.from_s ?? 0) + (this.#clip?.offset_s ?? 0);
      player.playbackRate = this.#speed.peek();
      await player.play();
      if (!stale()) this.#tickSoon();
    } catch (error) {
      if (!stale()) this.#fail(`${CANNOT_PLAY.sentence} ${CANNOT_PLAY.wayOut} (${String(error)})`);
    }
  }

  #holds(at: number): boolean {
    return this.#clip !== null && at >= this.#clip.from_s && at < this.#clip.to_s;
  }

  #made(): Player {
    if (!this.#player) {
      this.#player = this.#createPlayer();
      // While the page is hidden there are no frames; these events still fire, so that a loop continues.
      for (const type of ["timeupdate", "ended"]) this.#player.addEventListener(type, () => this.#tick());
    }
    return this.#player;
  }

  #drop(): void {
    this.#clip?.release();
    this.#clip = null;
  }

  #fail(sentence: string): void {
    this.pause();
    this.#said.value = sentence;
  }

  #tickSoon(): void {
    this.#cancel ??= this.#nextFrame(() => {
      this.#cancel = null;
      this.#tick();
      if (this.#playing.peek()) this.#tickSoon();
    });
  }

  /** Read the position from the player; at an end, loop, continue with the next clip, or stop. */
  #tick(): void {
    const clip = this.#clip;
    const player = this.#player;
    if (!clip || !player || !this.#playing.peek()) return;
    const { from_s, to_s } = this.#bounds();
    const at = Math.max(clip.from_s, Math.min(clip.to_s, clip.from_s + player.currentTime - clip.offset_s));
    // Encoded sound may be a few milliseconds shorter than its chunks.
    const past = player.ended || at >= clip.to_s;
    const reached = past ? clip.to_s : at;
    if (reached >= to_s - 1e-6) {
      if (this.#looping.peek()) this.seek(from_s);
      else {
        this.pause();
        this.#position.value = to_s;
      }
    } else if (past) this.seek(clip.to_s);
    else this.#position.value = at;
  }
}

function createAudio(): Player {
  const audio = document.createElement("audio");
  audio.preload = "auto";
  audio.preservesPitch = true;
  return audio;
}

function nextFrame(tick: () => void): () => void {
  const frame = requestAnimationFrame(tick);
  return () => cancelAnimationFrame(frame);
}

/** End a replay when another record takes the place of the one that it plays. Returns the unsubscribe function. */
export function clearWithRecord(replay: Replay, store: Store): () => void {
  let shown = store.record;
  return store.version.subscribe(() => {
    if (store.record === shown) return;
    shown = store.record;
    replay.clear();
  });
}
