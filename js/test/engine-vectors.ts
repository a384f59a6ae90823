/** Vectors that Python writes for the engine (tests/engine_vectors.py says what is in each file). */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = new URL("../../tests/vectors/engine/", import.meta.url);

export function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(fileURLToPath(new URL(name, FOLDER)), "utf8")) as T;
}

function bytes(base64: string): ArrayBuffer {
  return Uint8Array.from(Buffer.from(base64, "base64")).buffer;
}

/** Samples that were written as whole numbers. */
export function fromInt16(base64: string): Float32Array {
  return Float32Array.from(new Int16Array(bytes(base64)), (sample) => sample / 32768);
}

export function fromFloat32(base64: string): Float32Array {
  return new Float32Array(bytes(base64));
}

/** Samples of a 16-bit mono WAV file of the vectors, whose header has 44 bytes. */
export function clip(name: string): Float32Array {
  const content = readFileSync(fileURLToPath(new URL(`${name}.wav`, FOLDER)));
  const samples = new Int16Array(Uint8Array.from(content.subarray(44)).buffer);
  return Float32Array.from(samples, (sample) => sample / 32768);
}

/** Largest difference of two arrays of the same length. */
export function difference(one: ArrayLike<number>, other: ArrayLike<number>): number {
  if (one.length !== other.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < one.length; i++) {
    worst = Math.max(worst, Math.abs((one[i] as number) - (other[i] as number)));
  }
  return worst;
}

/** Join arrays of samples. */
export function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
