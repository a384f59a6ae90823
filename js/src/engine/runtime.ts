/** Interface of what computes a model: the tower and one step of the language model, both without a state. */

import type { Rows } from "./context";

export interface Runtime {
  /**
   * Encode the features of one chunk.
   *
   * @param mels float32 [bins, 40].
   * @returns Frames, float32 [10, width].
   */
  tower(mels: Float32Array): Promise<Float32Array>;
  /** Compute the logits after the last token of a step, and the keys and values of its tokens. */
  step(input: StepInput): Promise<StepOutput>;
  /** Free the memory of the model. */
  release(): Promise<void>;
}

export interface StepInput {
  readonly tokens: readonly number[];
  readonly positions: readonly number[];
  /** Encoder frames [n, width] in place of the embeddings of `tokens[framesAt …]`; null for tokens only. */
  readonly frames: Float32Array | null;
  readonly framesAt: number;
  readonly past: Rows & {
    /** Positions in the arrays, and how many of them, the first ones, are in use. */
    readonly rows: number;
    readonly held: number;
  };
}

export interface StepOutput extends Rows {
  readonly logits: Float32Array;
}
