/** Manifest of an exported model: everything beside its weights. `ai_widgets.model.onnx` writes it. */

import type { Emotion } from "../record/events";
import { EngineError } from "./errors";

/** Version that this engine reads; fields are only added within a version. */
export const FORMAT = 1;

export interface Manifest {
  readonly format: number;
  readonly made_by: string;
  readonly model: {
    readonly name: string;
    readonly positions: number;
    readonly fingerprint: string;
    readonly [more: string]: unknown;
  };
  readonly files: Readonly<Record<"tower" | "step", ModelFile>>;
  readonly shape: {
    readonly width: number;
    readonly layers: number;
    readonly key_heads: number;
    readonly head_size: number;
    readonly vocabulary: number;
  };
  readonly rope: {
    readonly positions: "exact" | "float16";
    /** Positions that float16 represents exactly; beyond it rounded positions change the attention. */
    readonly exact_positions: number;
    readonly frequencies: readonly number[];
  };
  readonly tokens: Readonly<Record<string, number>>;
  readonly emotions: Readonly<Partial<Record<Emotion, number>>>;
  readonly framing: {
    /** Names of the tokens at the start; `PROMPT` is the system prompt. */
    readonly prefix: readonly string[];
    /** Names of the tokens of one chunk; `FRAMES` is the encoder's frames. */
    readonly chunk: readonly string[];
    readonly frames: number;
    readonly system_prompt: string;
    readonly system_prompt_ids: readonly number[];
  };
  readonly context: {
    readonly positions: number;
    readonly trained_seconds: number | null;
    readonly slide_positions: number;
    readonly reset_positions: number;
    readonly stop_max_new_tokens: number;
    readonly first_capacity: number;
  };
  /** Sampling defaults of the checkpoint; `top_k` null keeps all tokens. */
  readonly sampling: { readonly temperature: number; readonly top_k: number | null; readonly top_p: number };
  readonly settings: readonly SettingSchema[];
  readonly features: {
    readonly bins: number;
    /** Of each mel bin its first frequency bin and the weights from there on. */
    readonly filters: readonly (readonly [first: number, weights: readonly number[]])[];
  };
  readonly vocabulary: Vocabulary;
}

export interface ModelFile {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Schema of one setting (`ai_widgets/setting_schema.py`). */
export interface SettingSchema {
  readonly name: string;
  readonly kind: "bool" | "int" | "float" | "str" | "choice";
  readonly default: unknown;
  readonly optional: boolean;
  readonly low: number | null;
  readonly high: number | null;
  /** Whether `low` itself is not allowed. */
  readonly above: boolean;
  readonly longest: number | null;
  readonly choices: readonly (readonly [word: string, effect: string])[];
  /** Allowed values in words. */
  readonly allowed: string;
}

/** Byte-level BPE: what encodes a system prompt and decodes replies. */
export interface Vocabulary {
  /** Text or special name of each token. */
  readonly texts: readonly string[];
  /** Bytes of each token in base64; null for a token that is not text. */
  readonly pieces: readonly (string | null)[];
  /** Token of each byte, −1 if there is none. */
  readonly bytes: readonly number[];
  /** Pairs that are merged, the first ones first: left, right and the joint token. */
  readonly merges: readonly (readonly [left: number, right: number, joint: number])[];
  /** Tokens that are found in a text before it is split into words. */
  readonly added: Readonly<Record<string, number>>;
  readonly normalizer: string | null;
  /** Regular expression of a word; null if a text is one word. */
  readonly pattern: string | null;
}

/**
 * Read a manifest.
 *
 * @throws EngineError if it is not one of this version.
 */
export function readManifest(content: ArrayBuffer): Manifest {
  let values: Partial<Manifest> | null;
  try {
    values = JSON.parse(new TextDecoder().decode(content));
  } catch (error) {
    throw new EngineError(`The model's manifest.json is not valid JSON: ${(error as Error).message}.`);
  }
  if (values?.format !== FORMAT) {
    throw new EngineError(
      `The model's manifest has format ${String(values?.format)}, this engine reads ${FORMAT}: write both with the ` +
        "same version of ai_widgets (ai-widgets page).",
    );
  }
  const parts = [
    "files",
    "shape",
    "rope",
    "tokens",
    "framing",
    "context",
    "sampling",
    "settings",
    "vocabulary",
  ];
  const missing = parts.filter((part) => !(part in (values as object)));
  if (missing.length > 0) throw new EngineError(`The model's manifest lacks ${missing.join(", ")}.`);
  return values as Manifest;
}
