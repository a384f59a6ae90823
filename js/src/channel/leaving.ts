/**
 * Close message of an unloading page, sent again by the next page of the same tab. A message sent during unloading
 * may never leave the browser, and the kernel would then wait for more audio of the stream.
 */
import type { BrowserMessage } from "./messages";

const KEY = "ai_widgets.left";

/** Store the close message of a stream for the next page of this tab. */
export function leave(close: BrowserMessage): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(close));
  } catch {
    // A page without storage: the kernel ends the stream with the next recording.
  }
}

/** Return the close message of the page before, or null. It may belong to another widget, whose kernel ignores it. */
export function lastWords(): BrowserMessage | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) as string);
  } catch {
    return null;
  }
}
