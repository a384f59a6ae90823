/** The decisions and replies that step mode hides until they are revealed; all that draws them checks here. */
import type { Signal } from "@preact/signals";
import type { Notice } from "../record/events";
import type { TurnRecord } from "../record/record";

/** The first chunk whose decision, and the first whose reply, is not shown. */
export interface HiddenFrom {
  decision: number;
  reply: number;
}

export const NOTHING_HIDDEN: HiddenFrom = { decision: Infinity, reply: Infinity };

/** Sets what is hidden; equal values notify no subscriber. */
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

/** A notice may tell what was decided (a violation, a cut reply), so it waits for the reply. */
export function isNoticeHidden(hidden: HiddenFrom, notice: Notice): boolean {
  return notice.chunk >= hidden.reply;
}
