/**
 * What the kernel is asked for and answers later: changes of settings, and the audio of a chunk. Every request has a
 * number, which its answer repeats: an answer that comes late is never taken for another one's.
 */

import { batch } from "@preact/signals";
import type { Fetched, Sound } from "../playback/sound";
import type { Changes } from "../store/settings";
import { type Store, showProblem } from "../store/store";
import type { BrowserMessage, KernelMessage } from "./messages";
import { type Buffers, viewOf } from "./payload";

/** A kernel that runs a cell may answer late, so it is waited for; after this long one is told. */
export const ANSWER_MS = 60_000;
export const UNANSWERED = "The kernel has not answered yet; until it does, nothing has changed.";
/** A sound that is to be played now is of no use much later. */
export const FETCH_MS = 10_000;

export const NOT_KEPT: Fetched = { why: "The kernel no longer keeps this chunk's sound." };
export const NO_ANSWER: Fetched = {
  why: "The kernel has not sent the sound within 10 s; it may be busy with a cell. Press the button again later.",
};
export const NO_SOUND: Fetched = {
  why: "The kernel's answer held no sound that this page can read. Reload the page, so that both use the installed version.",
};
const KERNEL_GONE: Fetched = { why: "The kernel is gone, and the sound with it." };

interface Asked {
  value: unknown;
  /** Number of the message that asked: the kernel takes all changes of it or none. */
  request: number;
  timer: ReturnType<typeof setTimeout>;
}

export class Requests {
  /** Changes on their way, at most one of each name: what is wanted meanwhile waits in `store.pending`. */
  readonly #asked = new Map<string, Asked>();
  /** Names whose answer is overdue, and the request that it would be to: a refusal may still come. */
  readonly #overdue = new Map<string, number>();
  readonly #fetches = new Map<number, (fetched: Fetched) => void>();
  #requests = firstNumber();

  constructor(
    private readonly store: Store,
    private readonly post: (message: BrowserMessage) => void,
  ) {}

  /** Asks for changes. Shown as pending until the traits, or a refusal, answer. */
  set(changes: Changes): void {
    const { store } = this;
    const wanted: Record<string, unknown> = { ...store.pending.value };
    const refused = { ...store.refused.value };
    const now: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(changes)) {
      delete refused[name];
      if (!this.#asked.has(name) && same(value, this.#held(name))) continue;
      wanted[name] = value;
      if (!this.#asked.has(name)) now[name] = value;
    }
    batch(() => {
      store.refused.value = refused;
      store.pending.value = wanted;
    });
    this.#ask(now);
  }

  /** The traits were sent anew: whatever they now say as it was asked is answered. */
  traitsChanged(): void {
    for (const [name, { value }] of [...this.#asked]) {
      if (same(value, this.#held(name))) this.#answered(name);
    }
    // Any word on settings shows that it answers again.
    const told = Object.entries(this.store.refused.value).filter(([, sentence]) => sentence !== UNANSWERED);
    if (told.length < Object.keys(this.store.refused.value).length) {
      this.store.refused.value = Object.fromEntries(told);
    }
  }

  /** The kernel refused a request: the settings of it that it names, or all of them, show its sentence. */
  refuse(sentence: string, names: readonly string[], request: number): void {
    const asked = [...this.#asked].filter(([, one]) => one.request === request).map(([name]) => name);
    const overdue = [...this.#overdue].filter(([, number]) => number === request).map(([name]) => name);
    const group = [...asked, ...overdue];
    if (group.length === 0) {
      // All pages hear what the kernel answers one of them.
      if (request === 0)
        showProblem(this.store, { code: "setting", sentence, wayOut: "Nothing was changed." });
      return;
    }
    const named = group.filter((name) => names.includes(name));
    const refused = Object.fromEntries((named.length > 0 ? named : group).map((name) => [name, sentence]));
    this.store.refused.value = { ...this.store.refused.value, ...refused };
    for (const name of overdue) this.#overdue.delete(name);
    for (const name of asked) this.#answered(name);
  }

  /** The sound of a chunk as the model heard it, or why there is none. */
  fetchAudio(chunk: number): Promise<Fetched> {
    const request = this.#number();
    return new Promise<Fetched>((resolve) => {
      const timer = setTimeout(() => this.#fetches.get(request)?.(NO_ANSWER), FETCH_MS);
      this.#fetches.set(request, (fetched) => {
        clearTimeout(timer);
        this.#fetches.delete(request);
        resolve(fetched);
      });
      this.post({ type: "fetch", what: "audio", chunk, request });
    });
  }

  audio(message: Extract<KernelMessage, { type: "audio" }>, buffers: Buffers): void {
    const answer = this.#fetches.get(message.request);
    if (!answer) return;
    const sound = message.ok ? soundOf(message.rate, message.data, buffers[0]) : null;
    answer(sound ? { sound } : message.ok ? NO_SOUND : NOT_KEPT);
  }

  /** Ends all requests: no answer can arrive any more. */
  end(): void {
    for (const { timer } of this.#asked.values()) clearTimeout(timer);
    this.#asked.clear();
    this.store.pending.value = {};
    for (const answer of [...this.#fetches.values()]) answer(KERNEL_GONE);
  }

  #ask(changes: Record<string, unknown>): void {
    const names = Object.keys(changes);
    if (names.length === 0) return;
    const request = this.#number();
    for (const name of names) {
      this.#overdue.delete(name);
      const timer = setTimeout(() => this.#unanswered(name), ANSWER_MS);
      this.#asked.set(name, { value: changes[name], request, timer });
    }
    this.post({ type: "set", changes, request });
  }

  #unanswered(name: string): void {
    this.#overdue.set(name, this.#asked.get(name)?.request ?? 0);
    this.store.refused.value = { ...this.store.refused.value, [name]: UNANSWERED };
    this.#answered(name);
  }

  /** One change was answered; if something else is wanted by now, it is asked for next. */
  #answered(name: string): void {
    const asked = this.#asked.get(name);
    if (!asked) return;
    clearTimeout(asked.timer);
    this.#asked.delete(name);
    const { [name]: wanted, ...others } = this.store.pending.value as Record<string, unknown>;
    if (same(wanted, asked.value)) this.store.pending.value = others;
    else this.#ask({ [name]: wanted });
  }

  #number(): number {
    this.#requests += 1;
    return this.#requests;
  }

  /** What the kernel's traits say of a setting. */
  #held(name: string): unknown {
    const settings = this.store.settings.value;
    if (settings && name in settings) return settings[name];
    return this.store.live.value[name];
  }
}

function same(a: unknown, b: unknown): boolean {
  return Object.is(a, b) || (typeof a === "number" && typeof b === "number" && Math.abs(a - b) < 1e-9);
}

/** Little-endian int16 from whatever buffer a host hands over, or from base64 where it drops buffers. */
function soundOf(rate: number, data: string | undefined, buffer: unknown): Sound | null {
  const view = viewOf(buffer) ?? (typeof data === "string" ? viewOf(bytesOf(data)) : null);
  if (!view || !(rate > 0)) return null;
  const samples = new Float32Array(view.byteLength >> 1);
  for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(2 * i, true) / 32768;
  return { samples, rate };
}

function bytesOf(data: string): Uint8Array | null {
  try {
    return Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  } catch {
    // No base64: the caller says that there is no sound.
    return null;
  }
}

/** Pages of one widget hear each other's answers, so each counts from a place of its own; below 2^53 in any case. */
function firstNumber(): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] as number) * 2 ** 20;
}
