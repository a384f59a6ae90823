/** Loading of the engine with the files of the kernel: the worker from a Blob, WebAssembly as bytes. */
import { loadEngine } from "../engine/load";
import type { Load } from "../page/loading";
import { MODEL_FOLDER, WASM_FILE, WORKER_FILE } from "../page/site";
import type { KernelFiles } from "./kernel-files";

/** Time after which the address of the script is released, in milliseconds; it is read when the worker starts. */
const REVOKE_MS = 60_000;

/** Return a function that loads the engine as soon as the kernel offers its files. */
export function engineLoad(files: KernelFiles): Load {
  return async (progress) => {
    if (typeof WebAssembly !== "object") {
      throw new Error(
        "This browser has no WebAssembly, or its settings forbid it; the model cannot run in it.",
      );
    }
    files.progress = progress;
    // All are asked for at once, so that the total is known from the beginning.
    const names = [WORKER_FILE, WASM_FILE, ...(await files.names()).filter(isModelFile)];
    const contents = new Map(names.map((name) => [name, files.read(name)]));
    const read = (name: string) => contents.get(name) ?? files.read(name);
    await Promise.all(contents.values());
    const worker = started(new Blob([await read(WORKER_FILE)], { type: "text/javascript" }));
    return loadEngine("", {
      worker: () => worker,
      wasm: await read(WASM_FILE),
      read: (name) => read(`${MODEL_FOLDER}/${name}`),
    });
  };
}

function isModelFile(name: string): boolean {
  return name.startsWith(`${MODEL_FOLDER}/`) && /\.(onnx|json)$/.test(name);
}

/** Start a worker of a Blob, which the policy of a notebook's host may forbid. */
function started(script: Blob): Worker {
  const address = URL.createObjectURL(script);
  try {
    return new Worker(address);
  } catch (error) {
    throw new Error(`This notebook's host allows no worker that a page makes itself: ${String(error)}.`);
  } finally {
    // The browser has the script by then.
    setTimeout(() => URL.revokeObjectURL(address), REVOKE_MS);
  }
}
