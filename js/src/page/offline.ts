/** Use without a network: registers the service worker, which stores the files of the site at the first visit. */
import type { Signal } from "@preact/signals";
import { addressOf, isSingleFile, SERVICE_WORKER_FILE } from "./site";

/** Whether the page opens without a network: it does, not yet, or this browser does not store it. */
export type Offline = "ready" | "storing" | "no";

/** Return whether the page is stored, as far as it is known before `store` is called. */
export function firstState(): Offline {
  // A single file is the whole page; a page from a disk has no service worker.
  if (isSingleFile()) return "ready";
  if (!location.protocol.startsWith("http") || !navigator.serviceWorker) return "no";
  return navigator.serviceWorker.controller ? "ready" : "storing";
}

/**
 * Register the service worker where there can be one, and follow its state. It stores the files that the page has loaded
 * by then, so that the first visit transfers each of them once.
 */
export async function store(state: Signal<Offline>): Promise<void> {
  if (isSingleFile() || state.value === "no") return;
  try {
    await navigator.serviceWorker.register(addressOf(SERVICE_WORKER_FILE));
    await navigator.serviceWorker.ready;
    state.value = "ready";
  } catch (error) {
    // Private windows forbid it, and a plain server without its list of files: the page needs the network then.
    state.value = "no";
    console.info("The page is not stored for use without a network.", error);
  }
}
