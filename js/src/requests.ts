/** What the kernel is asked for and answers later: changes of settings, and the audio of a chunk. */

import type { Sound } from "./capture/raw-ring";
import { batch } from "./dom/signals";
import type { BrowserMessage, KernelMessage } from "./messages";
import type { Changes, SettingName } from "./settings";
import { type Store, showProblem } from "./store";

/** A kernel that runs a cell may answer late, so it is waited for; after this long one is told. */
export const ANSWER_MS = 60_000;
export const UNANSWERED = "The kernel has not answered yet; until it does, nothing has changed.";

interface Asked {
  value: unknown;
  /** Names that were asked for in the same message: the kernel takes all of them or none. */
  group: readonly SettingName[];
  timer: ReturnType<typeof setTimeout>;
}

export class Requests {
  /** Changes on their way, at most one of each name: what is wanted meanwhile waits in `store.pending`. */
  readonly #asked = new Map<SettingName, Asked>();
  /** Names whose answer is overdue: a refusal may still come. */
  readonly #overdue = new Set<SettingName>();
  readonly #fetches = new Map<
    number,
    { promise: Promise<Sound | null>; end: (sound: Sound | null) => void }
  >();

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
    for (const [name, value] of Object.entries(changes) as [SettingName, unknown][]) {
      delete refused[name];
      if (!this.#asked.has(name) && same(value, this.#held(name))) continue;
      wanted[name] = value;
      if (!this.#asked.has(name)) now[name] = value;
    }
    batch(() => {
      store.refused.value = refused;
      store.pending.value = wanted as Changes;
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

  /** The kernel refused a change, in a sentence that names it. */
  refuse(sentence: string): void {
    const names = [...this.#asked.keys(), ...this.#overdue];
    const name = names.find((known) => new RegExp(`\\b${known}\\b`).test(sentence)) ?? names[0];
    if (name === undefined) {
      showProblem(this.store, { code: "setting", sentence, wayOut: "Nothing was changed." });
      return;
    }
    this.store.refused.value = { ...this.store.refused.value, [name]: sentence };
    this.#overdue.delete(name);
    for (const other of this.#asked.get(name)?.group ?? []) this.#answered(other);
  }

  /** The sound of a chunk as the model heard it; null where the kernel does not keep it (any more). */
  fetchAudio(chunk: number): Promise<Sound | null> {
    const under = this.#fetches.get(chunk);
    if (under) return under.promise;
    let end: (sound: Sound | null) => void = () => {};
    const promise = new Promise<Sound | null>((resolve) => {
      const timer = setTimeout(() => end(null), ANSWER_MS);
      end = (sound) => {
        clearTimeout(timer);
        this.#fetches.delete(chunk);
        resolve(sound);
      };
    });
    this.#fetches.set(chunk, { promise, end });
    this.post({ type: "fetch", what: "audio", chunk });
    return promise;
  }

  audio(message: Extract<KernelMessage, { type: "audio" }>, buffers: readonly DataView[]): void {
    this.#fetches
      .get(message.chunk)
      ?.end(message.ok ? soundOf(message.rate, message.data, buffers[0]) : null);
  }

  /** Nobody will answer any more. */
  end(): void {
    for (const { timer } of this.#asked.values()) clearTimeout(timer);
    this.#asked.clear();
    this.store.pending.value = {};
    for (const { end } of [...this.#fetches.values()]) end(null);
  }

  #ask(changes: Record<string, unknown>): void {
    const names = Object.keys(changes) as SettingName[];
    if (names.length === 0) return;
    for (const name of names) {
      this.#overdue.delete(name);
      const timer = setTimeout(() => this.#unanswered(name), ANSWER_MS);
      this.#asked.set(name, { value: changes[name], group: names, timer });
    }
    this.post({ type: "set", changes });
  }

  #unanswered(name: SettingName): void {
    this.#overdue.add(name);
    this.store.refused.value = { ...this.store.refused.value, [name]: UNANSWERED };
    this.#answered(name);
  }

  /** One change was answered; if something else is wanted by now, it is asked for next. */
  #answered(name: SettingName): void {
    const asked = this.#asked.get(name);
    if (!asked) return;
    clearTimeout(asked.timer);
    this.#asked.delete(name);
    const { [name]: wanted, ...others } = this.store.pending.value as Record<string, unknown>;
    if (same(wanted, asked.value)) this.store.pending.value = others as Changes;
    else this.#ask({ [name]: wanted });
  }

  /** What the kernel's traits say of a setting. */
  #held(name: SettingName): unknown {
    const settings = this.store.settings.value as Record<string, unknown> | null;
    if (settings && name in settings) return settings[name];
    return (this.store.live.value as unknown as Record<string, unknown>)[name];
  }
}

function same(a: unknown, b: unknown): boolean {
  return Object.is(a, b) || (typeof a === "number" && typeof b === "number" && Math.abs(a - b) < 1e-9);
}

/** Little-endian int16 from a buffer, or from base64 where the host drops buffers. */
function soundOf(rate: number, data: string | undefined, buffer: DataView | undefined): Sound | null {
  let view = buffer;
  if (!view && data !== undefined) {
    view = new DataView(Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)).buffer);
  }
  if (!view) return null;
  const samples = new Float32Array(view.byteLength >> 1);
  for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(2 * i, true) / 32768;
  return { samples, rate };
}
