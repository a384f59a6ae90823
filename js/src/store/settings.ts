/**
 * What the kernel's synced traits say of settings, policies, the loop and its counters. The kernel owns them; this side
 * only reads, and asks for changes with `Channel.set`. Mirrors `settings.py` and `widget/live_settings.py`.
 */
import { LOOP_MODES, type LoopMode } from "../channel/messages";
import { isObject } from "../text/json";

/** Settings of the session; null means what the checkpoint says. */
export interface SessionSettings {
  greedy: boolean;
  temperature: number | null;
  top_k: number | null;
  top_p: number | null;
  seed: number;
  bias: number;
  mask: boolean;
  strict: boolean;
  system_prompt: string | null;
  context: string;
  context_limit: number | null;
  context_seconds: number | null;
  forget_after_reply: boolean;
  max_new_tokens: number | null;
  max_reply_tokens: number | null;
  alternatives: number;
}

export const CONTEXTS = ["slide", "stop", "reset"] as const;
export const ARRIVALS = ["keep", "drop", "interrupt"] as const;
export const OVERLOADS = ["lag", "drop_oldest", "pause"] as const;
export const READINGS = ["mute", "listen"] as const;

/** Policies and switches that hold while the widget lives, whichever session runs. */
export interface LiveSettings {
  /** What becomes of audio that arrives while the model speaks. */
  arrival: (typeof ARRIVALS)[number];
  /** What happens when audio arrives faster than it is decided. */
  overload: (typeof OVERLOADS)[number];
  overload_chunks: number;
  /** What the microphone does while a reply is read aloud. */
  reading: (typeof READINGS)[number];
  echo_cancellation: boolean;
  noise_suppression: boolean;
  auto_gain: boolean;
  /** Id of the microphone to use; empty for the browser's default. */
  device: string;
}

export const DEFAULT_LIVE: LiveSettings = {
  arrival: "keep",
  overload: "lag",
  overload_chunks: 50,
  reading: "mute",
  echo_cancellation: false,
  noise_suppression: false,
  auto_gain: false,
  device: "",
};

/** Any setting by its name: those of the session and the live ones share one name space. */
export type SettingName = keyof SessionSettings | keyof LiveSettings;
export type Changes = Partial<SessionSettings & LiveSettings>;

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
  let_go_s: number;
}

export const NOTHING_COUNTED: Counters = {
  waiting: 0,
  lag_s: 0,
  dropped_chunks: 0,
  dropped_s: 0,
  let_go_s: 0,
};

/** The session's settings as a trait holds them; null where it says nothing. */
export function readSettings(value: unknown): Partial<SessionSettings> | null {
  return isObject(value) && Object.keys(value).length > 0 ? (value as Partial<SessionSettings>) : null;
}

/** Live settings, with the default where a kernel does not know one; null where the trait says nothing. */
export function readLive(value: unknown): LiveSettings | null {
  if (!isObject(value) || Object.keys(value).length === 0) return null;
  return { ...DEFAULT_LIVE, ...(value as Partial<LiveSettings>) };
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
