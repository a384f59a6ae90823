/**
 * Requests that the kernel answers later: changes of settings, and the audio of a chunk. Each request has a number
 * that its answer repeats, so that a late answer is never attributed to another request.
 */

import { batch } from "@preact/signals";
import type { Fetched } from "../playback/sound";
import type { Changes } from "../store/settings";
import { type Store, showProblem } from "../store/store";
import type { BrowserMessage, KernelMessage } from "./messages";
import { type Buffers, soundOf } from "./payload";

/** Time without an answer after which the user is told, in milliseconds: a kernel that runs a cell answers late. */
export const ANSWER_MS = 60_000;
export const UNANSWERED = "The kernel has not answered yet; nothing has changed so far.";
/** Timeout of a requested sound in milliseconds: the user waits for the sound. */
export const FETCH_MS = 10_000;

export const NOT_KEPT: Fetched = { why: "The kernel no longer keeps this chunk's sound." };
export const NO_ANSWER: Fetched = {
  why: "The kernel has not sent the sound within 10 s; it may be busy with a cell. Press the button again later.",
};
export const NO_SOUND: Fetched = {
  why: "The kernel's answer has no sound that this page can read. Reload the page, so that both use the installed version.",
};
const KERNEL_GONE: Fetched = { why: "The kernel is gone, so the sound is no longer available." };

interface Asked {
  value: unknown;
  /** Number of the message: the kernel accepts all changes of a message or none. */
  request: number;
  timer: ReturnType<typeof setTimeout>;
}

export class Requests {
  /** Requested changes without an answer, at most one per name: a newer value waits in `store.pending`. */
  readonly #asked = new Map<string, Asked>();
  /** Names whose answer is overdue, with the number of the request: a refusal may still come. */
  readonly #overdue = new Map<string, number>();
  readonly #fetches = new Map<number, (fetched: Fetched) => void>();
  #requests = firstNumber();

  constructor(
    private readonly store: Store,
    private readonly post: (message: BrowserMessage) => void,
  ) {}

  /** Request changes. They are pending until the traits or a refusal answer. */
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

  /** Compare the new traits with the requests: equal values answer them. */
  traitsChanged(): void {
    for (const [name, { value }] of [...this.#asked]) {
      if (same(value, this.#held(name))) this.#answered(name);
    }
    // Any new settings show that the kernel answers again.
    const told = Object.entries(this.store.refused.value).filter(([, sentence]) => sentence !== UNANSWERED);
    if (told.length < Object.keys(this.store.refused.value).length) {
      this.store.refused.value = Object.fromEntries(told);
    }
  }

  /** Handle a refused request: its named settings, or all of them, show the sentence. */
  refuse(sentence: string, names: readonly string[], request: number): void {
    const asked = [...this.#asked].filter(([, one]) => one.request === request).map(([name]) => name);
    const overdue = [...this.#overdue].filter(([, number]) => number === request).map(([name]) => name);
    const group = [...asked, ...overdue];
    if (group.length === 0) {
      // All pages receive the answers to one.
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

  /** Fetch the sound of a chunk as the model heard it, or the reason why there is none. */
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

  /** End all requests: no answer can arrive. */
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

  /** Finish one change; if a newer value is pending, request it. */
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

  /** Return the value of a setting in the kernel's traits. */
  #held(name: string): unknown {
    const settings = this.store.settings.value;
    if (settings && name in settings) return settings[name];
    return this.store.live.value[name];
  }
}

function same(a: unknown, b: unknown): boolean {
  return Object.is(a, b) || (typeof a === "number" && typeof b === "number" && Math.abs(a - b) < 1e-9);
}

/** Return a random first number, below 2^53: all pages of a widget receive each other's answers. */
function firstNumber(): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] as number) * 2 ** 20;
}
