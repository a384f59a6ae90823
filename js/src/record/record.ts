/**
 * Record of one session: chunks, decisions and replies from its events. Values per chunk are numbers in columns, with
 * summaries for pictures of hours; nothing is copied per event.
 */

import { ChunkTable } from "./chunk-table";
import { DecisionTable } from "./decision-table";
import {
  CHUNK_SECONDS,
  EMOTIONS,
  type Emotion,
  type Ending,
  type Notice,
  type SessionEvent,
  type Token,
} from "./events";
import { LatencyTable } from "./latency-table";
import { latest } from "./pyramid";
import { TimingTable } from "./timing-table";
import type { Vocabulary } from "./vocabulary";

/** A reply, running (`ended` is null) or finished. */
export interface TurnRecord {
  turn: number;
  /** Chunk whose decision began the reply. */
  chunk: number;
  tokens: Token[];
  text: string;
  emotion: Emotion | null;
  ended: Ending | null;
  /** Number of changes, so that a view renders only this reply again. */
  version: number;
}

export class SessionRecord {
  /** Number of applied events, which the next hello reports as `seen`. */
  count = 0;
  /** By chunk index, each with `get(chunk)` and `length`; a chunk may be missing. */
  readonly chunks = new ChunkTable();
  readonly decisions = new DecisionTable();
  readonly timings = new TimingTable();
  readonly latency = new LatencyTable();
  /** Replies and notices in the order of their chunks. */
  readonly turns: TurnRecord[] = [];
  readonly notices: Notice[] = [];
  /** Whether a TEXT_BEGIN was decided whose turn has not ended. */
  speaking = false;
  /** Number of the newest change of each chunk. */
  readonly revisions = latest();
  #revision = 0;

  get decided(): number {
    return this.decisions.count;
  }

  /** Note that the picture of `chunk` has changed. */
  touch(chunk: number): void {
    this.#revision += 1;
    if (chunk >= 0) this.revisions.set(chunk, this.#revision);
  }

  /** Bytes of chunks, decisions, timings and their summaries. */
  get bytes(): number {
    const { chunks, decisions, timings, latency, revisions } = this;
    return [chunks, decisions, timings, latency, revisions].reduce((sum, part) => sum + part.bytes, 0);
  }
}

export function emptyRecord(): SessionRecord {
  return new SessionRecord();
}

/** Add one event to `record`. Event types of a newer kernel are counted and otherwise ignored. */
export function applyEvent(
  record: SessionRecord,
  event: SessionEvent,
  vocabulary?: Pick<Vocabulary, "tokens">,
): void {
  record.count += 1;
  switch (event.type) {
    case "chunk":
      record.chunks.set(event);
      record.touch(event.chunk);
      break;
    case "decision":
      record.decisions.set(event);
      record.speaking = event.choice === "TEXT_BEGIN";
      record.touch(event.chunk);
      break;
    case "token": {
      const turn = turnRecord(record, event.turn, event.chunk);
      turn.tokens[event.index] = event;
      turn.text += event.text;
      turn.emotion ??= vocabulary ? emotionOf(event, vocabulary) : null;
      turn.version += 1;
      break;
    }
    case "turn": {
      const turn = turnRecord(record, event.turn, event.chunk);
      turn.text = event.text;
      turn.emotion = event.emotion;
      turn.ended = event.ended;
      turn.version += 1;
      record.speaking = false;
      break;
    }
    case "notice":
      // Nearly always the last position; a late event is still inserted in order.
      record.notices.splice(firstAtOrAfter(record.notices, event.chunk + 1), 0, event);
      break;
    case "timing":
      record.timings.set(event);
      record.latency.takeTiming(event);
      record.touch(event.chunk);
      break;
  }
}

function turnRecord(record: SessionRecord, turn: number, chunk: number): TurnRecord {
  for (let i = record.turns.length - 1; i >= 0; i--) {
    const found = record.turns[i] as TurnRecord;
    if (found.turn === turn) return found;
    if (found.turn < turn) break;
  }
  const fresh: TurnRecord = { turn, chunk, tokens: [], text: "", emotion: null, ended: null, version: 0 };
  record.turns.push(fresh);
  return fresh;
}

/** Return the emotion of a token of a running reply, from the checkpoint's table of tokens. */
export function emotionOf(token: Token, { tokens }: Pick<Vocabulary, "tokens">): Emotion | null {
  if (token.index !== 0) return null;
  return EMOTIONS.find((emotion) => tokens[emotion.toUpperCase()] === token.token) ?? null;
}

/** Return the number of chunks, decided or not. */
export function chunkCount(record: SessionRecord): number {
  return Math.max(record.chunks.length, record.decisions.length);
}

/** Return the start of a chunk in seconds; also of a chunk without an event yet, because chunks are consecutive. */
export function chunkStart(record: SessionRecord, chunk: number): number {
  const heard = record.chunks.columns.of.start_s[chunk];
  if (heard !== undefined && !Number.isNaN(heard)) return heard;
  const decided = record.decisions.columns.of.start_s[chunk];
  return decided !== undefined && !Number.isNaN(decided) ? decided : chunk * CHUNK_SECONDS;
}

/** Return the end of the newest chunk in seconds. */
export function recordEnd(record: SessionRecord): number {
  const last = chunkCount(record) - 1;
  return last < 0 ? 0 : chunkStart(record, last) + CHUNK_SECONDS;
}

/** Return the reply that began with a chunk's decision. */
export function turnOf(record: SessionRecord, chunk: number): TurnRecord | undefined {
  const { turns } = record;
  const at = firstAtOrAfter(turns, chunk);
  return turns[at]?.chunk === chunk ? turns[at] : undefined;
}

/** Return the index of the first of `items` (in the order of their chunks) that belongs to `chunk` or a later one. */
export function firstAtOrAfter(items: readonly { chunk: number }[], chunk: number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((items[middle] as { chunk: number }).chunk < chunk) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Return start and duration of a reply in seconds. A running reply has its duration so far. */
export function turnSpan(record: SessionRecord, turn: TurnRecord): { start: number; seconds: number } {
  const start = chunkStart(record, turn.chunk) + CHUNK_SECONDS;
  const spent = record.timings.reply_ms(turn.chunk);
  return { start, seconds: spent > 0 ? spent / 1000 : Math.max(0.1, turn.tokens.length * 0.04) };
}
