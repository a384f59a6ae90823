/** Names of token ids: ids are data of the checkpoint, never constants of the program. */

/** Special tokens and prompt of the checkpoint, from the kernel's `welcome` or `model` message. */
export interface Vocabulary {
  /** Special tokens and emotions: id by name. */
  readonly tokens: Readonly<Record<string, number>>;
  /** Tokens at the start of every context. */
  readonly prefix: readonly (readonly [token: number, text: string])[];
  /** Largest number of context positions; 0 if unknown. */
  readonly limit: number;
  /** Parts of a chunk's block of tokens; encoder frames have the name `FRAMES`. Empty if unknown. */
  readonly block: readonly BlockPart[];
}

/** Part of a chunk's block: `count` tokens of the id `token`. */
export interface BlockPart {
  readonly name: string;
  readonly token: number;
  readonly count: number;
}

export const NO_VOCABULARY: Vocabulary = { tokens: {}, prefix: [], limit: 0, block: [] };

/** Name of the part of a chunk's block that encoder frames replace. */
export const FRAMES = "FRAMES";

/** Return the name of a special or emotion token; null for a text token. If an id has several names, the first one. */
export function nameOf({ tokens }: Pick<Vocabulary, "tokens">, token: number): string | null {
  for (const [name, id] of Object.entries(tokens)) if (id === token) return name;
  return null;
}

/** Fields of a `welcome` or `model` message about the checkpoint's tokens; null before the model is loaded. */
export interface VocabularyFields {
  tokens?: unknown;
  prefix?: unknown;
  block?: unknown;
  limit?: unknown;
}

export function readVocabulary({ tokens, prefix, block, limit }: VocabularyFields): Vocabulary | null {
  if (typeof tokens !== "object" || tokens === null || Object.keys(tokens).length === 0) return null;
  const pairs = Array.isArray(prefix) ? prefix : [];
  return {
    tokens: Object.fromEntries(Object.entries(tokens).filter(([, id]) => typeof id === "number")),
    prefix: pairs.filter((pair) => Array.isArray(pair)).map(([id, text]) => [Number(id), String(text)]),
    limit: typeof limit === "number" ? limit : 0,
    block: readBlock(block),
  };
}

function readBlock(block: unknown): BlockPart[] {
  const parts = Array.isArray(block) ? block.filter((part) => Array.isArray(part)) : [];
  return parts
    .map(([name, token, count]) => ({ name: String(name), token: Number(token), count: Number(count) }))
    .filter(({ token, count }) => Number.isInteger(token) && Number.isInteger(count) && count > 0);
}

/** Return the part of a chunk's block that encoder frames replace; null if the checkpoint is unknown. */
export function framesOf({ block }: Pick<Vocabulary, "block">): BlockPart | null {
  return block.find(({ name }) => name === FRAMES) ?? null;
}
