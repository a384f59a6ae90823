/** Where a recording that is heard again is decided otherwise than it was: another device computes other numbers. */
import type { SessionEvent } from "../record/events";

/** Return the decided tokens in order, with the chunk of each. */
function tokens(events: readonly SessionEvent[]): (readonly [chunk: number, token: number])[] {
  return events.flatMap((event) =>
    event.type === "decision" || event.type === "token" ? [[event.chunk, event.token] as const] : [],
  );
}

/** Return the first chunk that is decided otherwise now; null if all that was heard again is the same. */
export function differsAt(recorded: readonly SessionEvent[], now: readonly SessionEvent[]): number | null {
  const was = tokens(recorded);
  for (const [place, [chunk, token]] of tokens(now).entries()) {
    const before = was[place];
    if (!before || before[0] !== chunk || before[1] !== token) return Math.min(chunk, before?.[0] ?? chunk);
  }
  return null;
}
