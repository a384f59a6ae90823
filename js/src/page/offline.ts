/** Use without a network: registers the service worker, which stores the files of the site at the first visit. */
import { type Signal, signal } from "@preact/signals";
import { addressOf, isSingleFile, SERVICE_WORKER_FILE } from "./site";

/** Whether the page opens without a network: it does, not yet, or this browser does not store it. */
export type Offline = "ready" | "storing" | "no";

/** Register the service worker where there can be one, and follow its state. */
export function offline(): Signal<Offline> {
  // A single file is the whole page; a page from a disk has no service worker.
  if (isSingleFile()) return signal("ready");
  const state = signal<Offline>("no");
  if (!location.protocol.startsWith("http") || !navigator.serviceWorker) return state;
  state.value = navigator.serviceWorker.controller ? "ready" : "storing";
  navigator.serviceWorker
    .register(addressOf(SERVICE_WORKER_FILE))
    .then(() => navigator.serviceWorker.ready)
    .then(() => {
      state.value = "ready";
    })
    .catch((error: unknown) => {
      // Private windows forbid it, and a plain server without its list of files: the page needs the network then.
      state.value = "no";
      console.info("The page is not stored for use without a network.", error);
    });
  return state;
}
