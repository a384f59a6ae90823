/** What the timeline says of one chunk, in words: under the pointer, and to screen readers. */
import { CHUNK_SECONDS, type Choice } from "../events";
import { type HiddenFrom, isDecisionHidden, isNoticeHidden, isReplyHidden, NOTHING_HIDDEN } from "../hidden";
import { chunkStart, type Talk } from "../talk";

export const CHOICE_WORDS: Record<Choice, string> = {
  KEEP_SILENCE: "silent",
  TEXT_BEGIN: "speak",
  OTHER: "violation",
};

export interface Readout {
  title: string;
  decision: string;
  /** Flags, notices and the reply that began here. */
  remarks: string[];
}

export function readout(talk: Talk, chunk: number, hidden: HiddenFrom = NOTHING_HIDDEN): Readout {
  const start = chunkStart(talk, chunk);
  const covered = isDecisionHidden(hidden, chunk);
  const decision = covered ? undefined : talk.decisions.get(chunk);
  const remarks: string[] = [];
  const flags = talk.chunks.get(chunk)?.flags ?? [];
  if (flags.length > 0) remarks.push(flags.join(", "));
  for (const notice of talk.notices) {
    if (notice.chunk === chunk && !isNoticeHidden(hidden, notice)) remarks.push(notice.message);
  }
  const turn = talk.turns.find((candidate) => candidate.chunk === chunk);
  if (turn?.text && !isReplyHidden(hidden, turn)) remarks.push(`“${turn.text}”`);
  return {
    title: `chunk ${chunk} · ${start.toFixed(1)}–${(start + CHUNK_SECONDS).toFixed(1)} s`,
    decision: decision
      ? `p(TEXT) ${decision.p_text.toFixed(3)} → ${CHOICE_WORDS[decision.choice]}`
      : covered
        ? "hidden until it is revealed"
        : "not decided yet",
    remarks,
  };
}
