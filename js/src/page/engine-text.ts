/** What the page says of its engine. */
import type { EngineChannel } from "./engine-channel";

/** Say which engine runs. */
export function engineText({ facts, store }: EngineChannel): string {
  const now = facts.value;
  if (store.model.value.status === "failed") return "No engine runs.";
  if (!now) return "The engine is being loaded.";
  const { runtime, version, provider, threads, worker, loaded_ms } = now;
  const how = provider === "wasm" ? "WebAssembly" : "WebGPU";
  const where = worker ? "in a worker" : "in the page’s own thread";
  const many = threads === 1 ? "one thread" : `${threads} threads`;
  return `Engine: ${runtime} ${version}, ${how}, ${many}, ${where}; loaded in ${(loaded_ms / 1000).toFixed(1)} s.`;
}
