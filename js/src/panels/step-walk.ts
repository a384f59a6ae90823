/**
 * Position of step mode in the loop, and the next phase. Pure functions, the same for the kernel's loop and a replay.
 */

import type { SessionRecord } from "../record/record";
import type { HiddenFrom } from "../store/hidden";

export type Phase = "" | "perceive" | "decide" | "respond";

/** Phase that was run last, and its chunk; before the first phase, the first chunk. */
export interface Cursor {
  chunk: number;
  phase: Phase;
}

/** Result of a cursor's phase, as a transition of the diagram. */
export type Passage = "KEEP_SILENCE" | "TEXT_BEGIN" | "TEXT_END" | "OTHER" | null;

export function isPhase(text: string): text is Phase {
  return text === "" || text === "perceive" || text === "decide" || text === "respond";
}

/** Return the next phase: of the same chunk, or the first of the next chunk. */
export function nextOf({ chunk, phase }: Cursor, record: SessionRecord): Cursor {
  if (phase === "") return { chunk: Math.max(0, chunk), phase: "perceive" };
  // A dropped chunk never gets a decision.
  const dropped = !record.decisions.has(chunk) && chunk + 1 < record.decisions.length;
  if (phase === "perceive" && !dropped) return { chunk, phase: "decide" };
  if (phase === "decide" && record.decisions.get(chunk)?.choice === "TEXT_BEGIN") {
    return { chunk, phase: "respond" };
  }
  return { chunk: chunk + 1, phase: "perceive" };
}

/** Return whether a replay can move to `cursor`: whether its chunk is heard and decided. */
export function canReplay({ chunk, phase }: Cursor, record: SessionRecord): boolean {
  return phase === "respond" || chunk < record.decisions.length;
}

/** Return the transition out of the phase that was run last. */
export function passageOf({ chunk, phase }: Cursor, record: SessionRecord): Passage {
  if (phase === "decide") return record.decisions.get(chunk)?.choice ?? null;
  return phase === "respond" ? "TEXT_END" : null;
}

/** Return what a replay at `cursor` hides. */
export function hiddenAfter({ chunk, phase }: Cursor): HiddenFrom {
  return {
    decision: phase === "decide" || phase === "respond" ? chunk + 1 : chunk,
    reply: phase === "respond" ? chunk + 1 : chunk,
  };
}
