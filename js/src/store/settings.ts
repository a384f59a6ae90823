/**
 * What the kernel's synced traits say of settings, policies, the loop and its counters. The kernel owns them; this side
 * only reads, and asks for changes with `Channel.set`. Which settings there are, the kernel's schema says.
 */
import { LOOP_MODES, type LoopMode } from "../channel/messages";
import { isObject } from "../text/json";

/** One setting as the kernel declares it (`Setting.described` in `settings.py`): what its field needs. */
export interface Setting {
  name: string;
  kind: "bool" | "int" | "float" | "str" | "choice";
  group: string;
  label: string;
  help: string;
  /** What null stands for. */
  unset: string;
  default: unknown;
  /** Lines of a text's field. */
  lines: number;
  /** The allowed words, each with what it does. */
  choices: readonly (readonly [word: string, does: string])[];
  /** A number that is drawn as a slider: its reach to both sides, and the words at the ends. */
  scale: readonly [reach: number, low: string, high: string] | null;
}

/** Settings by name; null means what the checkpoint says. Those of the session and the live ones share one name space. */
export type Values = Readonly<Record<string, unknown>>;
export type Changes = Record<string, unknown>;

/** Live settings: those that this page acts on, and whatever else the kernel has. */
export interface LiveSettings extends Values {
  /** What the microphone does while a reply is read aloud: `mute` or `listen`. */
  reading: string;
  echo_cancellation: boolean;
  noise_suppression: boolean;
  auto_gain: boolean;
  /** Id of the microphone to use; empty for the browser's default. */
  device: string;
}

/** What holds until the kernel has said its own: the microphone's sound as it is. */
export const UNTOLD_LIVE: LiveSettings = {
  reading: "mute",
  echo_cancellation: false,
  noise_suppression: false,
  auto_gain: false,
  device: "",
};

/** What the worker's loop is doing. */
export interface LoopState {
  mode: LoopMode;
  /** `perceive`, `decide` or `respond`, the phase that was done last or runs; empty before the first. */
  phase: string;
  chunk: number;
  waiting: number;
}

export const LOOP_RUNNING: LoopState = { mode: "run", phase: "", chunk: -1, waiting: 0 };

export interface Counters {
  waiting: number;
  /** How far the decisions are behind the audio, in seconds. */
  lag_s: number;
  dropped_chunks: number;
  dropped_s: number;
  /** Seconds of recorded audio that the kernel no longer keeps. */
  discarded_s: number;
}

export const NOTHING_COUNTED: Counters = {
  waiting: 0,
  lag_s: 0,
  dropped_chunks: 0,
  dropped_s: 0,
  discarded_s: 0,
};

/** The schema as its trait holds it; null where it says nothing. */
export function readSchema(value: unknown): readonly Setting[] | null {
  return Array.isArray(value) && value.length > 0 && value.every(isObject)
    ? (value as unknown[] as Setting[])
    : null;
}

/** The session's settings as a trait holds them; null where it says nothing. */
export function readSettings(value: unknown): Values | null {
  return isObject(value) && Object.keys(value).length > 0 ? value : null;
}

/** Live settings; null where the trait says nothing. */
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
