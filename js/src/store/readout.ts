/** Description of one chunk in words, for the hover box and for screen readers. */
import { CHUNK_SECONDS, type Choice } from "../record/events";
import { policyOf } from "../record/policy";
import { chunkStart, firstAtOrAfter, type SessionRecord, turnOf } from "../record/record";
import { isolated } from "../text/graphemes";
import { type HiddenFrom, isDecisionHidden, isNoticeHidden, isReplyHidden, NOTHING_HIDDEN } from "./hidden";

export const CHOICE_WORDS: Record<Choice, string> = {
  KEEP_SILENCE: "silent",
  TEXT_BEGIN: "speak",
  OTHER: "violation",
};

export interface Readout {
  title: string;
  /** Start and end, in seconds of the session. */
  span: string;
  decision: string;
  /** Flags, notices and the reply that began at this chunk. */
  remarks: string[];
}

export function readout(record: SessionRecord, chunk: number, hidden: HiddenFrom = NOTHING_HIDDEN): Readout {
  const start = chunkStart(record, chunk);
  const remarks: string[] = [];
  const flags = record.chunks.flagNames(chunk);
  if (flags.length > 0) remarks.push(flags.map((flag) => flag.replaceAll("_", " ")).join(", "));
  const { notices } = record;
  for (let i = firstAtOrAfter(notices, chunk); notices[i]?.chunk === chunk; i++) {
    const notice = notices[i];
    if (notice && !isNoticeHidden(hidden, notice)) remarks.push(notice.message);
  }
  const turn = turnOf(record, chunk);
  if (turn?.text && !isReplyHidden(hidden, turn)) remarks.push(`“${isolated(turn.text)}”`);
  const span = `${start.toFixed(1)}–${(start + CHUNK_SECONDS).toFixed(1)} s`;
  return {
    title: `chunk ${chunk} · ${span}`,
    span,
    decision: isDecisionHidden(hidden, chunk) ? "hidden until revealed" : decisionText(record, chunk),
    remarks,
  };
}

function decisionText(record: SessionRecord, chunk: number): string {
  const decision = record.decisions.get(chunk);
  if (!decision) return "not decided yet";
  const policy = policyOf(decision);
  if (policy) {
    const { score, name } = policy;
    const why = score ? `${score.name} ${score.value.toFixed(2)} (threshold ${score.threshold})` : name;
    return `${why} → ${CHOICE_WORDS[decision.choice]}`;
  }
  return `p(TEXT) ${decision.p_text.toFixed(3)} → ${CHOICE_WORDS[decision.choice]}`;
}
