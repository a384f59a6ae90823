/** Differences between the decisions and replies of a branch and those of the original. */

import { firstAtOrAfter, type SessionRecord, turnOf } from "./record";

export interface ReplyPair {
  chunk: number;
  /** Texts of the replies that began at the chunk; null where there was silence. */
  original: string | null;
  branch: string | null;
}

export type Differs = "decision" | "reply" | null;

/** Return what differs at a chunk; null unless both have decided it. */
export function differsAt(original: SessionRecord, branch: SessionRecord, chunk: number): Differs {
  const [was, now] = [original.decisions.choiceOf(chunk), branch.decisions.choiceOf(chunk)];
  if (was === null || now === null) return null;
  if (was !== now) return "decision";
  if (was !== "TEXT_BEGIN") return null;
  return turnOf(original, chunk)?.text === turnOf(branch, chunk)?.text ? null : "reply";
}

/** Return the chunks that differ, in order. */
export function differences(original: SessionRecord, branch: SessionRecord, from: number): number[] {
  const found = [];
  for (let chunk = from; chunk < branch.decisions.length; chunk++) {
    if (differsAt(original, branch, chunk)) found.push(chunk);
  }
  return found;
}

/** Return the replies of both at each chunk where they differ, in order. */
export function replyPairs(original: SessionRecord, branch: SessionRecord, from: number): ReplyPair[] {
  const chunks = new Set(
    [original, branch].flatMap(({ turns }) =>
      turns.slice(firstAtOrAfter(turns, from)).map(({ chunk }) => chunk),
    ),
  );
  return [...chunks]
    .sort((a, b) => a - b)
    .filter((chunk) => differsAt(original, branch, chunk))
    .map((chunk) => ({
      chunk,
      original: turnOf(original, chunk)?.text ?? null,
      branch: turnOf(branch, chunk)?.text ?? null,
    }));
}
