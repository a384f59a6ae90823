/** The microphone's states as a pure reducer. Whatever belongs to an older request is ignored. */
import type { MicPhase } from "../channel/messages";
import type { Problem } from "./problem";

export interface MicState {
  phase: MicPhase;
  /** Counts starts and stops: an answer that carries another number comes too late. */
  request: number;
  /** Name of the device. */
  name: string;
  /** Recording through the old ScriptProcessor, which may drop samples when the page is busy. */
  degraded: boolean;
  /** Why the phase is `error`, or what hinders a recording that goes on. */
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
      // What has not begun to be heard cannot be paused.
      if (state.phase !== (event.paused ? "listening" : "paused")) return state;
      return { ...state, phase: event.paused ? "paused" : "listening" };
  }
  if (event.request !== state.request || !isRunning(state)) return state;
  switch (event.type) {
    case "heard":
      // "listening" is a promise that sound arrives, so only the first block makes it.
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
