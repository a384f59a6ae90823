/** State of the context and of the reply in progress: one immutable value that each step of `turns` replaces. */

import { CHUNK_SECONDS, type Emotion, type Notice } from "../record/events";
import { notice } from "./notices";
import type { RandomState } from "./random";
import type { Model, Terms } from "./terms";
import { SPARE, Window } from "./window";

/** Reply in progress: its index, the chunk and clip that it answers, its tokens after TEXT_BEGIN, and its text. */
export interface Reply {
  readonly turn: number;
  readonly chunk: number;
  readonly clip: number;
  readonly tokens: readonly number[];
  /** Text without incomplete characters at its end, and what the last token added to it. */
  readonly shown: string;
  readonly added: string;
}

export interface TurnState {
  readonly terms: Terms;
  readonly random: RandomState;
  readonly window: Window;
  /**
   * Tokens that are drawn, or that end a truncated reply, but are not fed yet. The next step begins with them; they
   * belong to the newest chunk in the context.
   */
  readonly due: readonly number[];
  /** Number of tokens drawn and of replies begun since the start of the session. */
  readonly drawn: number;
  readonly turns: number;
  readonly reply: Reply | null;
  /** Number of positions behind the prefix that the last step evicted. */
  readonly leaving: number;
  /** Why the session has ended, as a sentence, or null. */
  readonly ended: string | null;
}

/** A state and the events of the step that led to it. */
export type Stepped<E> = readonly [state: TurnState, events: E[]];

/** Number of free positions; negative after the limit was lowered below the positions in use. */
export function roomOf(state: TurnState): number {
  return state.terms.framing.limit - state.window.positions;
}

/** Return the state with an empty context. */
export function forgotten(state: TurnState): TurnState {
  return { ...state, window: new Window(), due: [], leaving: 0 };
}

/**
 * Evict the oldest chunks to free positions and chunks; 0 or less for none.
 *
 * @param chunk Index of the chunk that needs the room.
 * @param keep Number of the newest chunks that are never evicted.
 */
export function slid(
  state: TurnState,
  chunk: number,
  positions: number,
  chunks: number,
  keep: number,
): Stepped<Notice> {
  const { maxChunks, framing } = state.terms;
  const spareChunks = Number.isFinite(maxChunks) ? Math.floor(maxChunks / SPARE) : 0;
  const spare = [Math.floor(framing.limit / SPARE), spareChunks] as const;
  const found = state.window.withoutOldest(positions, Number.isFinite(chunks) ? chunks : 0, keep, spare);
  if (!found) return [state, []];
  const { window, left } = found;
  // The tokens in `due` belong to the newest chunk and are dropped with it.
  const due = window.chunks.length > 0 ? state.due : [];
  const count = left.last - left.first + 1;
  const replies = left.turns === 0 ? "" : ` and ${left.turns} ${left.turns === 1 ? "reply" : "replies"}`;
  const used = window.positions;
  const message =
    `The oldest ${(count * CHUNK_SECONDS).toFixed(1)} s of audio${replies} were evicted from the context; ` +
    `${used} of ${framing.limit} positions are used.`;
  const data = { chunks: [left.first, left.last], turns: left.turns, positions: left.positions };
  const told = notice(chunk, "context_slide", message, { ...data, used, limit: framing.limit });
  return [{ ...state, window, due, leaving: left.positions }, [told]];
}

/** Return the state of a session that takes no more audio, and the notice why. */
export function ended(state: TurnState, chunk: number, kind: string, message: string): Stepped<Notice> {
  const data = { used: state.window.positions, limit: state.terms.framing.limit, drawn: state.drawn };
  return [{ ...state, ended: message }, [notice(chunk, kind, message, data)]];
}

/** Return the limit that forbids another token of the reply, in words, or null. */
export function replyLimit(state: TurnState, spoken: number): string | null {
  const { framing, settings, maxNewTokens } = state.terms;
  if (roomOf(state) < state.due.length) return `the context's ${framing.limit} positions are used`;
  const most = settings.max_reply_tokens;
  if (most !== null && spoken >= most) return `it reached ${most} tokens (max_reply_tokens)`;
  if (state.drawn >= maxNewTokens) return `the session has drawn its ${maxNewTokens} tokens (max_new_tokens)`;
  return null;
}

/** Most replacement characters held back: a UTF-8 character has at most 4 bytes, so at most 3 are incomplete. */
const LONGEST_INCOMPLETE = 3;
/** Character that incomplete UTF-8 bytes are decoded to. */
const REPLACEMENT = "\ufffd";

/** Return the text of a reply; an emotion is not part of it. */
export function textOf(model: Model, tokens: readonly number[]): string {
  const { tokens: special, emotions } = model.manifest;
  const skipped = new Set([...Object.values(special), ...Object.values(emotions)]);
  return model.tokenizer.decode(tokens.filter((token) => !skipped.has(token)));
}

/** Return the emotion token at the start of a reply, or null. */
export function emotionOf(model: Model, tokens: readonly number[]): Emotion | null {
  const found = Object.entries(model.manifest.emotions).find(([, token]) => token === tokens[0]);
  return found ? (found[0] as Emotion) : null;
}

/**
 * Return a reply with one more token. The whole reply is decoded again, because a character may span tokens; trailing
 * replacement characters are held back until their character is complete.
 */
export function withToken(model: Model, reply: Reply, token: number): Reply {
  const tokens = [...reply.tokens, token];
  const text = textOf(model, tokens);
  let end = text.length;
  while (end > 0 && text[end - 1] === REPLACEMENT) end--;
  // More bytes than a character can lack: the first ones can never become valid.
  if (text.length - end > LONGEST_INCOMPLETE) end = text.length - LONGEST_INCOMPLETE;
  const stable = text.slice(0, end);
  if (!stable.startsWith(reply.shown)) return { ...reply, tokens, added: "" };
  return { ...reply, tokens, shown: stable, added: stable.slice(reply.shown.length) };
}
