/** Terms: the settings of a session resolved against its model, with the tokens around the audio. */

import { CHUNK_SECONDS, type Rule } from "../record/events";
import { rounded } from "./chunker";
import { SettingError } from "./errors";
import type { Manifest } from "./manifest";
import type { SamplingRule } from "./sampling";
import type { Settings } from "./settings";
import type { Tokenizer } from "./tokenizer";

/** Tokens that a session feeds in addition to the drawn ones, and the size of its context. */
export interface Framing {
  readonly prefix: readonly number[];
  /** Tokens of one chunk, with PAD in place of each encoder frame. */
  readonly block: readonly number[];
  /** Index of the first PAD in `block`. */
  readonly framesAt: number;
  /** Maximum number of positions in the context. */
  readonly limit: number;
}

export interface Terms {
  readonly settings: Settings;
  readonly rule: SamplingRule;
  /** Content of `Decision.rule`. */
  readonly inEffect: Rule;
  readonly framing: Framing;
  /** Tokens that the session may draw, and chunks that the context may hold; infinite for no limit. */
  readonly maxNewTokens: number;
  readonly maxChunks: number;
}

/** Model without its weights: what sessions need to know before they compute. */
export interface Model {
  readonly manifest: Manifest;
  readonly tokenizer: Tokenizer;
}

/**
 * Resolve the settings of a session.
 *
 * @throws SettingError if the context is too short for the prefix and one chunk.
 */
export function termsOf(model: Model, settings: Settings): Terms {
  const { sampling, context } = model.manifest;
  const rule: SamplingRule = {
    greedy: settings.greedy,
    temperature: settings.temperature ?? sampling.temperature,
    topK: settings.top_k === null ? sampling.top_k : settings.top_k || null,
    topP: settings.top_p ?? sampling.top_p,
  };
  const stops = settings.context === "stop" ? context.stop_max_new_tokens : Number.POSITIVE_INFINITY;
  return {
    settings,
    rule,
    inEffect: {
      greedy: rule.greedy,
      temperature: rule.temperature,
      top_k: rule.topK,
      top_p: rule.topP,
      bias: settings.bias,
      mask: settings.mask,
      seed: settings.seed,
    },
    framing: framingOf(model, settings),
    maxNewTokens: settings.max_new_tokens ?? stops,
    maxChunks:
      settings.context_seconds === null
        ? Number.POSITIVE_INFINITY
        : // A millionth is added, because 0.4 has no exact binary representation.
          Math.floor(settings.context_seconds / CHUNK_SECONDS + 1e-6),
  };
}

function framingOf({ manifest, tokenizer }: Model, settings: Settings): Framing {
  const { framing, tokens } = manifest;
  const prompt =
    settings.system_prompt === null ? framing.system_prompt_ids : tokenizer.encode(settings.system_prompt);
  const token = (name: string) => tokens[name] as number;
  const prefix = framing.prefix.flatMap((name) => (name === "PROMPT" ? prompt : [token(name)]));
  const frames = Array.from({ length: framing.frames }, () => token("PAD"));
  const block = framing.chunk.flatMap((name) => (name === "FRAMES" ? frames : [token(name)]));
  const limit = limitOf(manifest, settings, prefix.length, block.length + 1);
  const needed = prefix.length + block.length + 1;
  if (limit < needed) {
    throw new SettingError(
      `A context of ${limit} positions is too short: prefix, one chunk and one token need ${needed}; ` +
        "raise context_limit or shorten system_prompt.",
    );
  }
  return { prefix, block, framesAt: framing.chunk.indexOf("FRAMES"), limit };
}

/** Compute the positions of the context from those of the prefix and of one silent chunk. */
function limitOf({ context, rope }: Manifest, settings: Settings, prefix: number, chunk: number): number {
  let most = context.positions;
  let usual = { slide: context.slide_positions, reset: context.reset_positions, stop: most }[
    settings.context
  ];
  if (settings.context === "slide") {
    // Beyond this limit the distance of two rounded positions depends on the positions, which sliding changes.
    if (rope.positions === "float16") most = Math.min(most, rope.exact_positions);
    if (context.trained_seconds !== null && settings.context_seconds === null) {
      // The prefix is added, so that a longer prompt than in training leaves as much room for audio.
      usual = prefix + rounded(context.trained_seconds / CHUNK_SECONDS, 0) * chunk;
    }
  }
  return Math.min(settings.context_limit ?? usual, most);
}
