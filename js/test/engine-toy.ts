/** Runtime of a model that answers each loud chunk with "Hi", for tests that need no weights. */
import { CHUNK_SAMPLES, MELS_PER_CHUNK } from "../src/engine/log-mel";
import type { Manifest } from "../src/engine/manifest";
import type { Runtime, StepInput, StepOutput } from "../src/engine/runtime";
import type { Model } from "../src/engine/terms";
import { Tokenizer } from "../src/engine/tokenizer";
import { vectors } from "./engine-vectors";

export const MANIFEST = vectors<Manifest>("manifest.json");
export const MODEL: Model = { manifest: MANIFEST, tokenizer: new Tokenizer(MANIFEST.vocabulary) };
const [H, I] = MODEL.tokenizer.encode("Hi") as [number, number];

export const LOUD = new Float32Array(CHUNK_SAMPLES).map((_, i) => Math.sin(i / 5));
export const QUIET = new Float32Array(CHUNK_SAMPLES);

export class ToyRuntime implements Runtime {
  /** Calls so far, and errors or logits to give in place of the next results. */
  towers = 0;
  steps = 0;
  towerError: Error | null = null;
  stepError: Error | null = null;
  logit: number | null = null;

  async tower(mels: Float32Array): Promise<Float32Array> {
    this.towers++;
    const error = this.towerError;
    this.towerError = null;
    if (error) throw error;
    const { width } = MANIFEST.shape;
    // The mean over the frames of the loudest bin: the first frame also holds the end of the chunk before.
    const loudest = new Float32Array(MELS_PER_CHUNK).fill(-9);
    for (const [i, level] of mels.entries()) {
      const frame = i % MELS_PER_CHUNK;
      loudest[frame] = Math.max(loudest[frame] as number, level);
    }
    const mean = loudest.reduce((sum, level) => sum + level, 0) / MELS_PER_CHUNK;
    return new Float32Array(MANIFEST.framing.frames * width).fill(mean);
  }

  async step({ tokens, frames }: StepInput): Promise<StepOutput> {
    this.steps++;
    const error = this.stepError;
    this.stepError = null;
    if (error) throw error;
    const { layers, key_heads, head_size, vocabulary } = MANIFEST.shape;
    const logits = new Float32Array(vocabulary);
    logits[this.next(tokens.at(-1) as number, frames)] = this.logit ?? 9;
    const size = layers * key_heads * tokens.length * head_size;
    return { logits, keys: new Float32Array(size), values: new Float32Array(size) };
  }

  async release(): Promise<void> {}

  private next(last: number, frames: Float32Array | null): number {
    const token = (name: string) => MANIFEST.tokens[name] as number;
    if (frames) return token((frames[0] as number) > 0 ? "TEXT_BEGIN" : "KEEP_SILENCE");
    if (last === token("TEXT_BEGIN")) return H;
    return last === H ? I : token("TEXT_END");
  }
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
