/** The embedded checkpoint on onnxruntime-web, and the comparison of its events with Python's. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { readModel } from "../src/engine/model-files";
import { OrtRuntime } from "../src/engine/ort-runtime";
import type { Runtime } from "../src/engine/runtime";
import type { Model } from "../src/engine/terms";
import { Tokenizer } from "../src/engine/tokenizer";

/** Largest differences that the issue allows: of probabilities, and of logits. */
const P_TOLERANCE = 1e-3;
const LOGIT_TOLERANCE = 5e-3;
/** Loading the runtime and a session of eleven seconds take a few seconds on a busy machine. */
export const PATIENCE_MS = 60_000;

function content(path: string): ArrayBuffer {
  return Uint8Array.from(readFileSync(fileURLToPath(new URL(path, import.meta.url)))).buffer;
}

export async function loadTested(): Promise<{ model: Model; runtime: Runtime }> {
  const { manifest, graphs } = await readModel(async (name) => content(`../../build/engine-model/${name}`));
  const wasm = content("../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm");
  const runtime = await OrtRuntime.load(manifest, graphs, { wasm, threads: 1 });
  return { model: { manifest, tokenizer: new Tokenizer(manifest.vocabulary) }, runtime };
}

/** Expect equal texts, whole numbers and random numbers, and other numbers within the tolerance of their kind. */
export function expectSame(found: unknown, expected: unknown, where: string): void {
  if (typeof found === "number" && typeof expected === "number") {
    const tolerance = /logit_/.test(where) ? LOGIT_TOLERANCE : P_TOLERANCE;
    const close = /\.(p|p_\w+|scaled|kept|logit_\w+|rms_db)$/.test(where);
    if (close) expect(Math.abs(found - expected), where).toBeLessThanOrEqual(tolerance);
    else expect(found, where).toBe(expected);
  } else if (isObject(found) && isObject(expected)) {
    expect(Object.keys(found).sort(), where).toEqual(Object.keys(expected).sort());
    for (const [key, value] of Object.entries(found)) expectSame(value, expected[key], `${where}.${key}`);
  } else {
    expect(found, where).toBe(expected);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
