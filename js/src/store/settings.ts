/**
 * Settings, policies, loop state and counters from the kernel's synced traits. The kernel owns them; the page only
 * reads them, and requests changes with `Channel.set`. The kernel's schema lists the settings.
 */
import { LOOP_MODES, type LoopMode } from "../channel/messages";
import { isObject } from "../text/json";

/** Setting as the kernel declares it (`Setting.described` in `settings.py`), for its field. */
export interface Setting {
  name: string;
  kind: "bool" | "int" | "float" | "str" | "choice";
  group: string;
  label: string;
  help: string;
  /** Meaning of null. */
  unset: string;
  default: unknown;
  /** Number of lines of a text field. */
  lines: number;
  /** Allowed words, each with its effect. */
  choices: readonly (readonly [word: string, does: string])[];
  /** For a slider: its largest magnitude, and the labels at both ends. */
  scale: readonly [reach: number, low: string, high: string] | null;
}

/**
 * Settings by name; null means the checkpoint's own value. Settings of the session and live settings share one name
 * space.
 */
export type Values = Readonly<Record<string, unknown>>;
export type Changes = Record<string, unknown>;

/** Live settings: those that this page uses, and any others of the kernel. */
export interface LiveSettings extends Values {
  /** What the microphone does while a reply is read aloud: `mute` or `listen`. */
  reading: string;
  echo_cancellation: boolean;
  noise_suppression: boolean;
  auto_gain: boolean;
  /** Id of the microphone to use; empty for the browser's default. */
  device: string;
  /** View that Python asks for: `show`, `explore` or `teach`; null for the one chosen last in this browser. */
  view: string | null;
}

/** Values until the kernel has sent its own: the microphone's sound without processing. */
export const UNTOLD_LIVE: LiveSettings = {
  reading: "mute",
  echo_cancellation: false,
  noise_suppression: false,
  auto_gain: false,
  device: "",
  view: null,
};

/** State of the kernel's loop. */
export interface LoopState {
  mode: LoopMode;
  /** `perceive`, `decide` or `respond`: the phase that runs or was run last; empty before the first. */
  phase: string;
  chunk: number;
  waiting: number;
}

export const LOOP_RUNNING: LoopState = { mode: "run", phase: "", chunk: -1, waiting: 0 };

export interface Counters {
  waiting: number;
  /** Lag of the decisions behind the audio, in seconds. */
  lag_s: number;
  dropped_chunks: number;
  dropped_s: number;
  /** Seconds of recorded audio that the kernel has discarded. */
  discarded_s: number;
}

export const NOTHING_COUNTED: Counters = {
  waiting: 0,
  lag_s: 0,
  dropped_chunks: 0,
  dropped_s: 0,
  discarded_s: 0,
};

/** Read the schema from its trait; null if the trait is empty. */
export function readSchema(value: unknown): readonly Setting[] | null {
  return Array.isArray(value) && value.length > 0 && value.every(isObject)
    ? (value as unknown[] as Setting[])
    : null;
}

/** Read the session's settings from a trait; null if the trait is empty. */
export function readSettings(value: unknown): Values | null {
  return isObject(value) && Object.keys(value).length > 0 ? value : null;
}

/** Read live settings; null if the trait is empty. */
export function readLive(value: unknown): LiveSettings | null {
  if (!isObject(value) || Object.keys(value).length === 0) return null;
  return { ...UNTOLD_LIVE, ...value };
}

export function readLoop(value: unknown): LoopState | null {
  if (!isObject(value) || !LOOP_MODES.includes(value.mode as LoopMode)) return null;
  return {
    mode: value.mode as LoopMode,
    phase: typeof value.phase === "string" ? value.phase : "",
    chunk: typeof value.chunk === "number" ? value.chunk : -1,
    waiting: typeof value.waiting === "number" ? value.waiting : 0,
  };
}

export function readCounters(value: unknown): Counters | null {
  if (!isObject(value)) return null;
  const counters = { ...NOTHING_COUNTED };
  for (const name of Object.keys(counters) as (keyof Counters)[]) {
    const counted = value[name];
    if (typeof counted === "number") counters[name] = counted;
  }
  return counters;
}
