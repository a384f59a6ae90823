/** Events without the details that take most of their memory: of a session of hours only the newest events keep them. */
import type { SessionEvent } from "./events";

/** Newest events that stay complete where events are held as objects: ten minutes, as long as audio is kept. */
export const COMPLETE_EVENTS = 6000;

/** Append an event, and reduce the one that is no longer among the newest. */
export function appendBounded(
  events: SessionEvent[],
  event: SessionEvent,
  complete: number = COMPLETE_EVENTS,
): void {
  events.push(event);
  const old = events[events.length - 1 - complete];
  if (old) events[events.length - 1 - complete] = withoutDetails(old);
}

/** Return an event without alternatives, envelope, log-mel and the tokens fed before it. */
export function withoutDetails(event: SessionEvent): SessionEvent {
  switch (event.type) {
    case "chunk":
      return { ...event, envelope: [], mel: "" };
    case "decision":
      return { ...event, alternatives: [], before: [] };
    case "token":
      return { ...event, alternatives: [] };
    default:
      return event;
  }
}
