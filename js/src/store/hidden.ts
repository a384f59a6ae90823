/** Decisions and replies that step mode hides until they are revealed; all views check this state. */
import type { Signal } from "@preact/signals";
import type { Notice } from "../record/events";
import type { TurnRecord } from "../record/record";

/** First chunk whose decision, and first chunk whose reply, is hidden. */
export interface HiddenFrom {
  decision: number;
  reply: number;
}

export const NOTHING_HIDDEN: HiddenFrom = { decision: Infinity, reply: Infinity };

/** Set what is hidden; equal values notify no subscriber. */
export function hideFrom(signal: Signal<HiddenFrom>, { decision, reply }: HiddenFrom): void {
  const before = signal.peek();
  if (before.decision !== decision || before.reply !== reply) signal.value = { decision, reply };
}

export function isDecisionHidden(hidden: HiddenFrom, chunk: number): boolean {
  return chunk >= hidden.decision;
}

export function isReplyHidden(hidden: HiddenFrom, turn: Pick<TurnRecord, "chunk">): boolean {
  return turn.chunk >= hidden.reply;
}

/**
 * Return whether a notice is hidden: it may reveal a decision (a violation, a truncated reply), so it is shown with
 * the reply.
 */
export function isNoticeHidden(hidden: HiddenFrom, notice: Notice): boolean {
  return notice.chunk >= hidden.reply;
}
