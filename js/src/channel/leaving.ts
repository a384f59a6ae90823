/**
 * The last words of a page that goes. What a page sends while it is unloaded may never leave the browser, and then the
 * kernel would go on waiting for audio; so the page that comes next in the same tab says it again.
 */
import type { BrowserMessage } from "./messages";

const KEY = "ai_widgets.left";

/** Keeps the end of a stream for the page that comes next. */
export function leave(close: BrowserMessage): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(close));
  } catch {
    // A page without storage: the kernel ends the stream with the next recording.
  }
}

/** What the page before said last, or null. It may be another widget's: kernels pass over what is none of theirs. */
export function lastWords(): BrowserMessage | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) as string);
  } catch {
    return null;
  }
}
