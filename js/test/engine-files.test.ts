/** Loading of the engine with the kernel's files, where the host or the browser forbids it. */
import { afterEach, expect, it, vi } from "vitest";
import { engineLoad } from "../src/mirror/engine-files";
import type { KernelFiles } from "../src/mirror/kernel-files";

afterEach(() => vi.unstubAllGlobals());

/** Files of a kernel that are there at once. */
function files(read: string[] = []): KernelFiles {
  const names = [
    "clips/rain.flac",
    "engine-worker.js",
    "model/CREDITS.md",
    "model/manifest.json",
    "model/step.onnx",
  ];
  return {
    names: async () => names,
    read: async (name: string) => {
      read.push(name);
      return new ArrayBuffer(2);
    },
  } as unknown as KernelFiles;
}

it("says that the host forbids the worker, and reads only what the engine needs", async () => {
  const read: string[] = [];
  vi.stubGlobal(
    "Worker",
    class {
      constructor() {
        throw new DOMException("Refused by the content security policy", "SecurityError");
      }
    },
  );
  await expect(engineLoad(files(read))(() => {})).rejects.toThrow(
    /host allows no worker that a page makes itself: SecurityError: Refused by the content security policy\./,
  );
  expect(read.sort()).toEqual([
    "engine-worker.js",
    "model/manifest.json",
    "model/step.onnx",
    "ort-wasm-simd-threaded.wasm",
  ]);
});

it("says that the browser has no WebAssembly", async () => {
  vi.stubGlobal("WebAssembly", undefined);
  await expect(engineLoad(files())(() => {})).rejects.toThrow("This browser has no WebAssembly");
});
