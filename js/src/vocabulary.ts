/** Names of token ids, as the checkpoint gives them in `welcome`: ids are data, never constants of the program. */

export interface Vocabulary {
  /** Special tokens and emotions, by name. */
  readonly ids: Readonly<Record<string, number>>;
  /** The session's prefix, token by token. One id may have two names (SYSTEM is TEXT_BEGIN), so each has its own. */
  readonly prefix: readonly (readonly [number, string])[];
}

export const NO_VOCABULARY: Vocabulary = { ids: {}, prefix: [] };

/** The vocabulary in a `welcome`, made safe to read; what is missing is unknown. */
export function readVocabulary(tokens: unknown, prefix: unknown): Vocabulary {
  const ids: Record<string, number> = {};
  if (typeof tokens === "object" && tokens !== null) {
    for (const [name, id] of Object.entries(tokens)) if (typeof id === "number") ids[name] = id;
  }
  const pairs = Array.isArray(prefix) ? prefix : [];
  return {
    ids,
    prefix: pairs
      .filter((pair) => Array.isArray(pair) && typeof pair[0] === "number")
      .map(([id, text]) => [id, String(text ?? "")]),
  };
}

/** Name of a special or emotion token; null for a token of the text. The first name given to an id counts. */
export function nameOf({ ids }: Vocabulary, token: number): string | null {
  for (const [name, id] of Object.entries(ids)) if (id === token) return name;
  return null;
}
