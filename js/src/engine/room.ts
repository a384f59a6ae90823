/** Room in the context for the next chunk: slide, reset or end of the session, as configured. */

import { CHUNK_SECONDS, type Notice } from "../record/events";
import { notice } from "./notices";
import { ended, forgotten, roomOf, type Stepped, slid, type TurnState } from "./turn-state";

/** Ensure the right prefix and room for a chunk before its decision: slide, reset or end, as configured. */
export function makeRoom(state: TurnState, chunk: number): Stepped<Notice> {
  if (state.ended !== null) return [state, []];
  const { terms, window } = state;
  const { framing, maxNewTokens, settings } = terms;
  if (state.drawn >= maxNewTokens) {
    return ended(state, chunk, "limit", `The session has drawn its ${maxNewTokens} tokens (max_new_tokens).`);
  }
  const { limit } = framing;
  const used = window.positions;
  const begun = window.prefix.length > 0;
  if (begun && !same(window.prefix, framing.prefix)) {
    const message =
      "The context was reset for the new system prompt: all earlier audio and replies were discarded.";
    const data = { used, limit, why: "system_prompt" };
    return [forgotten(state), [notice(chunk, "context_reset", message, data)]];
  }
  const opening = begun ? state.due : framing.prefix;
  const needed = opening.length + framing.block.length - roomOf(state);
  const many = window.chunks.length + 1 - terms.maxChunks;
  if (needed <= 0 && many <= 0) return [state, []];
  const seconds = (window.chunks.length * CHUNK_SECONDS).toFixed(1);
  const full =
    needed > 0
      ? `The context is full: ${used} of ${limit} positions are used`
      : `The context is full: ${seconds} s of audio are in it (context_seconds)`;
  if (settings.context === "stop")
    return ended(state, chunk, "context_full", `${full}, so the session has ended.`);
  if (settings.context === "slide") return slid(state, chunk, needed, many, 0);
  const data = { used, limit, why: "full" };
  return [forgotten(state), [notice(chunk, "context_reset", `${full}; it was reset to the prefix.`, data)]];
}

function same(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((token, i) => token === other[i]);
}
