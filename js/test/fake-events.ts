/** Events of tests besides those of `fakes.ts`. */
import type { SessionEvent } from "../src/record/events";

export function notice(kind: string, message = ""): SessionEvent {
  return { type: "notice", chunk: 0, kind, message, data: {} };
}
