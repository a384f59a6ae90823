/** Names of token ids: ids are data of the checkpoint, never constants of the program. */
import type { Vocabulary } from "./store";

/** Name of a special or emotion token; null for a token of the text. The first name given to an id counts. */
export function nameOf({ tokens }: Pick<Vocabulary, "tokens">, token: number): string | null {
  for (const [name, id] of Object.entries(tokens)) if (id === token) return name;
  return null;
}

/** What a `welcome` or `model` message says of the checkpoint's tokens; null before the model is loaded. */
export function readVocabulary(message: {
  tokens?: unknown;
  prefix?: unknown;
  limit?: unknown;
}): Vocabulary | null {
  const { tokens, prefix, limit } = message;
  if (typeof tokens !== "object" || tokens === null || Object.keys(tokens).length === 0) return null;
  const pairs = Array.isArray(prefix) ? prefix : [];
  return {
    tokens: Object.fromEntries(Object.entries(tokens).filter(([, id]) => typeof id === "number")),
    prefix: pairs.filter((pair) => Array.isArray(pair)).map(([id, text]) => [Number(id), String(text)]),
    limit: typeof limit === "number" ? limit : 0,
  };
}
