/** Names of token ids: ids are data of the checkpoint, never constants of the program. */

/** The checkpoint's special tokens and prompt, as the kernel's `welcome` or `model` message describes them. */
export interface Vocabulary {
  /** Special tokens and emotions: id by name. */
  readonly tokens: Readonly<Record<string, number>>;
  /** What every context begins with, token by token. */
  readonly prefix: readonly (readonly [token: number, text: string])[];
  /** Positions a context may hold; 0 where unknown. */
  readonly limit: number;
  /** The parts of a chunk's block of tokens; encoder frames stand under the name `FRAMES`. Empty where unknown. */
  readonly block: readonly BlockPart[];
}

/** One part of a chunk's block: `count` tokens of the id `token`. */
export interface BlockPart {
  readonly name: string;
  readonly token: number;
  readonly count: number;
}

export const NO_VOCABULARY: Vocabulary = { tokens: {}, prefix: [], limit: 0, block: [] };

/** Name of the part of a chunk's block that encoder frames replace. */
export const FRAMES = "FRAMES";

/** Name of a special or emotion token; null for a token of the text. The first name given to an id counts. */
export function nameOf({ tokens }: Pick<Vocabulary, "tokens">, token: number): string | null {
  for (const [name, id] of Object.entries(tokens)) if (id === token) return name;
  return null;
}

/** What a `welcome` or `model` message says of the checkpoint's tokens; null before the model is loaded. */
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

/** The part of a chunk's block that encoder frames take; null where the checkpoint is not known. */
export function framesOf({ block }: Pick<Vocabulary, "block">): BlockPart | null {
  return block.find(({ name }) => name === FRAMES) ?? null;
}
