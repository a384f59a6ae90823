/** Loading of the model, as the page tells it: bytes while they come, and a sentence if it fails. */
import type { Engine } from "../engine/engine";
import { type Store, showProblem } from "../store/store";

/** Loads the model, and reports the bytes that are loaded. */
export type Load = (progress: (loaded: number, total: number | null) => void) => Promise<Engine>;

/** Load the model and tell its progress; null, with a problem, if it cannot be loaded. */
export async function loadModel(
  load: Load,
  store: Store,
  wayOut = "Reload the page to try it again.",
): Promise<Engine | null> {
  const tell = (status: "loading" | "failed", detail: string | Record<string, unknown>) => {
    store.model.value = { status, kind: "model", name: "", detail };
  };
  let loading = true;
  try {
    return await load((done, total) => {
      // After one file failed, another may still arrive.
      if (loading) tell("loading", total ? { done, total } : "");
    });
  } catch (error) {
    const sentence = error instanceof Error ? error.message : String(error);
    tell("failed", sentence);
    showProblem(store, { code: "model", sentence, wayOut });
    console.error(error);
    return null;
  } finally {
    loading = false;
  }
}
