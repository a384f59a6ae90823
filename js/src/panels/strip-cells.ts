/** Tokens of one chunk in order: those that were fed, then those that the model produced, each with its position. */
import type { Decision, Token } from "../record/events";
import type { TurnRecord } from "../record/record";
import type { Vocabulary } from "../record/vocabulary";
import { FRAMES, nameOf } from "../record/vocabulary";

export type CellKind = "special" | "prompt" | "frames" | "decision" | "emotion" | "text";

export interface Cell {
  kind: CellKind;
  /** Name of a special token, or the token's text. */
  text: string;
  /** Token id; null if the checkpoint's table lacks the name. */
  token: number | null;
  /** Position of the (first) token in the context; null if it was never fed. */
  position: number | null;
  /** Number of tokens in this cell. */
  count: number;
  /** Index in the reply; null outside of the reply. */
  index: number | null;
  /** Remark for the reader. */
  remark: string;
}

export interface Strip {
  fed: Cell[];
  produced: Cell[];
  /** Positions of the first and the last token fed. */
  first: number;
  last: number;
}

export function stripOf(decision: Decision, turn: TurnRecord | undefined, vocabulary: Vocabulary): Strip {
  const { before, position } = decision;
  const length = vocabulary.block.reduce((sum, { count }) => sum + count, 0);
  const block = position - length + 1;
  const first = block - before.length;
  const fed = [...openingCells(before, first, vocabulary), ...blockCells(block, vocabulary)];
  const name = decision.choice === "OTHER" ? textOf(decision, vocabulary) : decision.choice;
  const produced = [cell("decision", name, decision.token, position + 1)];
  if (decision.choice === "TEXT_BEGIN" && turn) produced.push(...replyCells(decision, turn, vocabulary));
  return { fed, produced, first, last: position };
}

/**
 * Largest number of tokens before a block without a prefix: the last drawn token, and TEXT_END after a truncated
 * reply.
 */
const MOST_DUE = 2;

/** Return the cells of a chunk's block, as the checkpoint was trained; none if the block is unknown. */
function blockCells(first: number, vocabulary: Vocabulary): Cell[] {
  let position = first;
  const cells = vocabulary.block.map(({ name, token, count }) => {
    const frames = name === FRAMES;
    const text = frames ? (nameOf(vocabulary, token) ?? `#${token}`) : name;
    const made = cell(frames ? "frames" : "special", text, token, position, {
      count,
      remark: frames ? "each replaced by a frame of the audio tower" : "",
    });
    position += count;
    return made;
  });
  const last = cells.at(-1);
  if (last) last.remark = [last.remark, "the decision is read here"].filter(Boolean).join(" · ");
  return cells;
}

/** Return the cells before the block: the prefix of an empty context, else the tokens drawn or appended last. */
function openingCells(before: readonly number[], first: number, vocabulary: Vocabulary): Cell[] {
  const { prefix } = vocabulary;
  const isPrefix = before.length > 1 && before.every((token, i) => prefix[i]?.[0] === token);
  const cells: Cell[] = [];
  before.forEach((token, i) => {
    const name = nameOf(vocabulary, token);
    const text = (isPrefix && prefix[i]?.[1]) || name || `#${token}`;
    const last = cells.at(-1);
    if (before.length > MOST_DUE && name === null && last?.kind === "prompt") {
      last.count += 1;
      last.text += text;
    } else if (before.length > MOST_DUE && name === null) {
      cells.push(cell("prompt", text, token, first + i));
    } else {
      cells.push(cell("special", text, token, first + i));
    }
  });
  return cells;
}

/** Return the cells of a reply: emotion, text and end. A token drawn at position p is fed at position p + 1. */
function replyCells(decision: Decision, turn: TurnRecord, vocabulary: Vocabulary): Cell[] {
  const cut = turn.ended !== "TEXT_END";
  const tokens = turn.tokens.filter((token): token is Token => token !== undefined);
  const cells = tokens.map((token) => {
    const name = nameOf(vocabulary, token.token);
    const emotion = token.index === 0 && token.text === "" && turn.emotion !== null;
    const text = emotion
      ? (name ?? turn.emotion?.toUpperCase() ?? "")
      : token.text || name || alternativeText(token) || `#${token.token}`;
    return cell(emotion ? "emotion" : "text", text, token.token, token.position + 1, { index: token.index });
  });
  if (turn.ended !== null) {
    const end = (tokens.at(-1)?.position ?? decision.position) + 2;
    cells.push(
      cell("special", "TEXT_END", vocabulary.tokens.TEXT_END ?? null, end, {
        remark: cut ? "not drawn: added because the reply was truncated" : "",
      }),
    );
  }
  return cells;
}

function cell(
  kind: CellKind,
  text: string,
  token: number | null,
  position: number | null,
  more: Partial<Cell> = {},
): Cell {
  return { kind, text, token, position, count: 1, index: null, remark: "", ...more };
}

/** Return the text of a drawn token from its alternatives. */
export function textOf(step: Decision | Token, vocabulary: Vocabulary): string {
  return nameOf(vocabulary, step.token) ?? (alternativeText(step) || `#${step.token}`);
}

function alternativeText(step: Decision | Token): string {
  return step.alternatives.find((other) => other.token === step.token)?.text ?? "";
}
