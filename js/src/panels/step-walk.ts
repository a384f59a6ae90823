/** Where step mode stands in the loop, and what comes next. Pure; the kernel's loop and a replay tell it alike. */

import type { SessionRecord } from "../record/record";
import type { HiddenFrom } from "../store/hidden";

export type Phase = "" | "perceive" | "decide" | "respond";

/** The phase that was done last, and its chunk; before the first, the chunk that comes first. */
export interface Cursor {
  chunk: number;
  phase: Phase;
}

/** What a cursor's phase led to, as a line in the diagram. */
export type Passage = "KEEP_SILENCE" | "TEXT_BEGIN" | "TEXT_END" | "OTHER" | null;

export function isPhase(text: string): text is Phase {
  return text === "" || text === "perceive" || text === "decide" || text === "respond";
}

/** What happens next: the same chunk's next phase, or the next chunk's first. */
export function nextOf({ chunk, phase }: Cursor, record: SessionRecord): Cursor {
  if (phase === "") return { chunk: Math.max(0, chunk), phase: "perceive" };
  // A chunk that was dropped never gets a decision.
  const dropped = !record.decisions.has(chunk) && chunk + 1 < record.decisions.length;
  if (phase === "perceive" && !dropped) return { chunk, phase: "decide" };
  if (phase === "decide" && record.decisions.get(chunk)?.choice === "TEXT_BEGIN") {
    return { chunk, phase: "respond" };
  }
  return { chunk: chunk + 1, phase: "perceive" };
}

/** Whether a replay can go to `cursor`: what it shows has been heard and decided. */
export function canReplay({ chunk, phase }: Cursor, record: SessionRecord): boolean {
  return phase === "respond" || chunk < record.decisions.length;
}

/** The way that leads out of what was done last. */
export function passageOf({ chunk, phase }: Cursor, record: SessionRecord): Passage {
  if (phase === "decide") return record.decisions.get(chunk)?.choice ?? null;
  return phase === "respond" ? "TEXT_END" : null;
}

/** What a replay at `cursor` does not show yet. */
export function hiddenAfter({ chunk, phase }: Cursor): HiddenFrom {
  return {
    decision: phase === "decide" || phase === "respond" ? chunk + 1 : chunk,
    reply: phase === "respond" ? chunk + 1 : chunk,
  };
}
