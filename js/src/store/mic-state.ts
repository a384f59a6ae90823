/** States of the microphone as a pure reducer. Events of an older request are ignored. */
import type { MicPhase } from "../channel/messages";
import type { Problem } from "./problem";

export interface MicState {
  phase: MicPhase;
  /** Number of starts and stops: an answer with another number is late. */
  request: number;
  /** Name of the device. */
  name: string;
  /** Whether the deprecated ScriptProcessor records, which may drop samples while the page is busy. */
  degraded: boolean;
  /** Reason of the phase `error`, or a problem of a recording that continues. */
  problem: Problem | null;
}

export type MicEvent =
  | { type: "ask" }
  | { type: "heard"; request: number; name: string; degraded: boolean }
  | { type: "hindered"; request: number; problem: Problem }
  | { type: "freed"; request: number }
  | { type: "fail"; request: number; problem: Problem }
  | { type: "pause"; paused: boolean }
  | { type: "stop" };

export const MIC_IDLE: MicState = {
  phase: "idle",
  request: 0,
  name: "",
  degraded: false,
  problem: null,
};

export function isRunning(state: MicState): boolean {
  return state.phase === "asking" || state.phase === "listening" || state.phase === "paused";
}

export function micReducer(state: MicState, event: MicEvent): MicState {
  switch (event.type) {
    case "ask":
      return {
        ...MIC_IDLE,
        phase: "asking",
        request: state.request + 1,
      };
    case "stop":
      if (!isRunning(state)) return state;
      return { ...state, phase: "stopped", request: state.request + 1, problem: null };
    case "pause":
      // A microphone without its first block cannot be paused.
      if (state.phase !== (event.paused ? "listening" : "paused")) return state;
      return { ...state, phase: event.paused ? "paused" : "listening" };
  }
  if (event.request !== state.request || !isRunning(state)) return state;
  switch (event.type) {
    case "heard":
      // "listening" means that sound arrives, so only the first block sets it.
      if (state.phase !== "asking") return state;
      return { ...state, phase: "listening", name: event.name, degraded: event.degraded };
    case "hindered":
      return { ...state, problem: event.problem };
    case "freed":
      return state.problem ? { ...state, problem: null } : state;
    case "fail":
      return { ...state, phase: "error", request: state.request + 1, problem: event.problem };
  }
}
