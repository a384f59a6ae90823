/** Events of one chunk or one token, as the JSON that Python writes. */
import type { SessionEvent } from "../record/events";
import { firstAtOrAfter, type SessionRecord, turnOf } from "../record/record";
import type { HiddenFrom } from "../store/hidden";
import { isDecisionHidden, isNoticeHidden, isReplyHidden } from "../store/hidden";

/** Return all events of `chunk` in order, without those that step mode hides. */
export function eventsOf(record: SessionRecord, chunk: number, hidden: HiddenFrom): SessionEvent[] {
  const found: (SessionEvent | undefined)[] = [record.chunks.get(chunk)];
  if (!isDecisionHidden(hidden, chunk)) found.push(record.decisions.get(chunk));
  const turn = turnOf(record, chunk);
  if (turn && !isReplyHidden(hidden, turn)) {
    found.push(...turn.tokens);
    // The table of replies has neither clip nor start: both are those of the decision.
    const decision = record.decisions.get(chunk);
    if (turn.ended !== null && decision) {
      found.push({
        type: "turn",
        chunk,
        turn: turn.turn,
        clip: decision.clip,
        start_s: decision.start_s,
        emotion: turn.emotion,
        text: turn.text,
        tokens: turn.tokens.map(({ token }) => token),
        ended: turn.ended,
      });
    }
    found.push(record.timings.get(chunk));
  } else if (!turn && !isDecisionHidden(hidden, chunk)) {
    found.push(record.timings.get(chunk));
  }
  const { notices } = record;
  for (let i = firstAtOrAfter(notices, chunk); notices[i]?.chunk === chunk; i++) {
    const notice = notices[i];
    if (notice && !isNoticeHidden(hidden, notice)) found.push(notice);
  }
  return found.filter((event): event is SessionEvent => event !== undefined);
}

/** Format events as indented JSON, with lists of numbers in one line. */
export function pretty(events: readonly SessionEvent[]): string {
  return events
    .map((event) => JSON.stringify(event, null, 1).replace(/\[[\s\d.,eE+-]*\]/g, oneLine))
    .join("\n");
}

function oneLine(list: string): string {
  return list.replaceAll(/\s+/g, " ").replace("[ ", "[").replace(" ]", "]");
}
