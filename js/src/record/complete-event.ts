/** Events of an older kernel or notebook, completed with the missing fields. */
import type { Alternative, SessionEvent } from "./events";

/** Return the event with every field of version 2; missing fields get the value that means "unknown". */
export function completeEvent(event: SessionEvent): SessionEvent {
  switch (event.type) {
    case "chunk":
      return event.mel === undefined ? { ...event, mel: "" } : event;
    case "decision":
      return {
        ...event,
        alternatives: completeAlternatives(event.alternatives),
        before: event.before ?? [],
        oldest: event.oldest ?? 0,
        used: event.used ?? event.position + 1,
        limit: event.limit ?? 0,
        rule: event.rule ?? {},
      };
    case "token":
      return { ...event, alternatives: completeAlternatives(event.alternatives) };
    case "timing":
      return {
        ...event,
        stream: event.stream ?? 0,
        seq: event.seq ?? -1,
        arrived_ms: event.arrived_ms ?? 0,
        decided_ms: event.decided_ms ?? 0,
        encode_wait_ms: event.encode_wait_ms ?? 0,
        capture_ms: event.capture_ms ?? 0,
        network_ms: event.network_ms ?? 0,
      };
    default:
      return event;
  }
}

function completeAlternatives(alternatives: readonly Alternative[] = []): Alternative[] {
  return alternatives.map((other) => ({
    ...other,
    scaled: other.scaled ?? other.p,
    kept: other.kept ?? other.p,
  }));
}
