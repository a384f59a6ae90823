/** Notice about the time in which a recording page was hidden: browsers slow it down, and a phone may suspend it. */
import { type Store, showProblem } from "../store/store";
import { hiddenProblem } from "./problems";

/** Shortest absence of a hidden page that is reported, in seconds; shorter ones are common and lose nothing. */
const HIDDEN_S = 5;

/** Watch whether the page is hidden with an open microphone, and tell when it is shown again. Returns the end. */
export function watchHidden(store: Store): () => void {
  /** Time at which the page was hidden, and the number of chunks then. */
  let hidden: { at: number; chunks: number } | null = null;
  const changed = () => {
    const { chunks } = store.record;
    if (document.visibilityState === "hidden") {
      hidden = store.micOpen.value ? { at: Date.now(), chunks: chunks.length } : null;
      return;
    }
    const before = hidden;
    hidden = null;
    const seconds = before ? (Date.now() - before.at) / 1000 : 0;
    if (!before || seconds < HIDDEN_S) return;
    const minutes = Math.floor(seconds / 60);
    const time = `${minutes > 0 ? `${minutes} min ` : ""}${Math.round(seconds % 60)} s`;
    showProblem(store, hiddenProblem(time, Math.max(0, chunks.length - before.chunks)));
  };
  globalThis.document?.addEventListener("visibilitychange", changed);
  return () => globalThis.document?.removeEventListener("visibilitychange", changed);
}
