/** Runtime on onnxruntime-web: two graphs on WASM. Each call copies its inputs into the memory of the WASM. */

import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";
import { EngineError } from "./errors";
import { MELS_PER_CHUNK } from "./log-mel";
import type { Manifest } from "./manifest";
import type { Runtime, StepInput, StepOutput } from "./runtime";

/** Where onnxruntime's WASM is, and how many threads it uses. */
export interface OrtOptions {
  /** Absolute address of the WASM file, or its content. */
  readonly wasm: string | ArrayBuffer;
  readonly threads: number;
}

/** Files of a model by part. */
export type Graphs = Readonly<Record<"tower" | "step", ArrayBuffer>>;

const OPTIONS: InferenceSession.SessionOptions = {
  executionProviders: ["wasm"],
  graphOptimizationLevel: "all",
  // Warnings of the runtime go to the page's console; those of the graph's optimisation are of no use there.
  logSeverityLevel: 3,
};

export class OrtRuntime implements Runtime {
  private constructor(
    private readonly manifest: Manifest,
    private readonly towerGraph: InferenceSession,
    private readonly stepGraph: InferenceSession,
  ) {}

  /**
   * Load the graphs of a model.
   *
   * @throws EngineError if the runtime or a graph cannot be loaded.
   */
  static async load(manifest: Manifest, graphs: Graphs, { wasm, threads }: OrtOptions): Promise<OrtRuntime> {
    env.wasm.numThreads = threads;
    if (typeof wasm === "string") env.wasm.wasmPaths = { wasm };
    else env.wasm.wasmBinary = wasm;
    try {
      const tower = await InferenceSession.create(new Uint8Array(graphs.tower), OPTIONS);
      const step = await InferenceSession.create(new Uint8Array(graphs.step), OPTIONS);
      return new OrtRuntime(manifest, tower, step);
    } catch (error) {
      throw new EngineError(
        `The model could not be started in this browser: ${error instanceof Error ? error.message : String(error)}. ` +
          "It needs WebAssembly with SIMD, as every current browser has.",
      );
    }
  }

  async tower(mels: Float32Array): Promise<Float32Array> {
    const input = new Tensor("float32", mels, [1, mels.length / MELS_PER_CHUNK, MELS_PER_CHUNK]);
    const { frames } = await this.towerGraph.run({ mels: input });
    return frames?.data as Float32Array;
  }

  async step({ tokens, positions, frames, framesAt, past }: StepInput): Promise<StepOutput> {
    const { width, layers, key_heads, head_size } = this.manifest.shape;
    const count = tokens.length;
    const audio = new Float32Array(count * width);
    const isFrame = new Uint8Array(count);
    if (frames) {
      audio.set(frames, framesAt * width);
      isFrame.fill(1, framesAt, framesAt + frames.length / width);
    }
    const held = [layers, key_heads, past.rows, head_size];
    const { logits, keys, values } = await this.stepGraph.run({
      tokens: integers(tokens),
      frames: new Tensor("float32", audio, [count, width]),
      is_frame: new Tensor("bool", isFrame, [count]),
      positions: integers(positions),
      past_keys: new Tensor("float32", past.keys, held),
      past_values: new Tensor("float32", past.values, held),
      held: integers([past.held]),
    });
    return {
      logits: logits?.data as Float32Array,
      keys: keys?.data as Float32Array,
      values: values?.data as Float32Array,
    };
  }

  async release(): Promise<void> {
    await this.towerGraph.release();
    await this.stepGraph.release();
  }
}

function integers(numbers: readonly number[]): Tensor {
  return new Tensor("int64", BigInt64Array.from(numbers, BigInt), [numbers.length]);
}
