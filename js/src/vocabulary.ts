/** Names of token ids: ids are data of the checkpoint, never constants of the program. */
import type { Vocabulary } from "./store";

/** Name of a special or emotion token; null for a token of the text. The first name given to an id counts. */
export function nameOf({ tokens }: Pick<Vocabulary, "tokens">, token: number): string | null {
  for (const [name, id] of Object.entries(tokens)) if (id === token) return name;
  return null;
}
