/** Byte-level BPE of a manifest: encodes a system prompt, decodes replies, names tokens. */

import { EngineError } from "./errors";
import type { Vocabulary } from "./manifest";

export class Tokenizer {
  private readonly pieces: readonly (Uint8Array | null)[];
  /** Rank and joint token of each pair that is merged, by left × vocabulary + right. */
  private readonly merges: ReadonlyMap<number, readonly [rank: number, joint: number]>;

  constructor(private readonly vocabulary: Vocabulary) {
    this.pieces = vocabulary.pieces.map((piece) => (piece === null ? null : bytesOf(piece)));
    this.merges = new Map(
      vocabulary.merges.map(([left, right, joint], rank) => [this.pair(left, right), [rank, joint]] as const),
    );
  }

  /** Return the special name of a token, or its text. */
  textOf(token: number): string {
    return this.vocabulary.texts[token] ?? "";
  }

  /** Decode tokens to text; tokens that are not text are skipped. Incomplete UTF-8 becomes replacement characters. */
  decode(tokens: readonly number[]): string {
    const bytes = tokens.flatMap((token) => [...(this.pieces[token] ?? [])]);
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
  }

  /** Encode a text to tokens. */
  encode(text: string): number[] {
    const { added, normalizer } = this.vocabulary;
    const whole = normalizer === null ? text : text.normalize(normalizer as "NFC");
    const names = Object.keys(added).sort((a, b) => b.length - a.length);
    if (names.length === 0) return this.encodePlain(whole);
    const parts = whole.split(new RegExp(`(${names.map(escaped).join("|")})`, "u"));
    return parts.flatMap((part) => {
      const token = Object.hasOwn(added, part) ? added[part] : undefined;
      return token === undefined ? this.encodePlain(part) : [token];
    });
  }

  private encodePlain(text: string): number[] {
    const { pattern } = this.vocabulary;
    const words = pattern === null ? [text] : (text.match(wordsOf(pattern)) ?? []);
    return words.flatMap((word) => this.encodeWord(word));
  }

  /** Merge the pairs of a word's bytes, the lowest rank first, until none is left. */
  private encodeWord(word: string): number[] {
    const tokens = [...new TextEncoder().encode(word)].map((byte) => this.vocabulary.bytes[byte] as number);
    const unknown = tokens.indexOf(-1);
    if (unknown >= 0)
      throw new EngineError(`The vocabulary has no token for a byte of ${JSON.stringify(word)}.`);
    for (;;) {
      let best: readonly [rank: number, joint: number] | undefined;
      let at = 0;
      for (let i = 0; i + 1 < tokens.length; i++) {
        const found = this.merges.get(this.pair(tokens[i] as number, tokens[i + 1] as number));
        if (found && (!best || found[0] < best[0])) [best, at] = [found, i];
      }
      if (!best) return tokens;
      tokens.splice(at, 2, best[1]);
    }
  }

  private pair(left: number, right: number): number {
    return left * this.vocabulary.pieces.length + right;
  }
}

function wordsOf(pattern: string): RegExp {
  try {
    return new RegExp(pattern, "gu");
  } catch (error) {
    throw new EngineError(
      `This browser cannot split a text into words as the tokenizer does: ${(error as Error).message}. ` +
        "Leave system_prompt at its default, or use a newer browser.",
    );
  }
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/gu, "\\$&");
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
