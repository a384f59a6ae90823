/** What the events of one session tell: chunks, decisions, turns. Arrays only grow; nothing is copied per event. */
import {
  CHUNK_SECONDS,
  type Chunk,
  type Decision,
  EMOTIONS,
  type Emotion,
  type Ending,
  type Notice,
  type SessionEvent,
  type Timing,
  type Token,
} from "./events";

/** A reply, running (`ended` is null) or finished. */
export interface TurnRecord {
  turn: number;
  /** The chunk whose decision began it. */
  chunk: number;
  tokens: Token[];
  text: string;
  emotion: Emotion | null;
  ended: Ending | null;
  /** Counts changes, so that a view redraws this turn only. */
  version: number;
}

export interface Talk {
  /** Events applied so far: what the next hello reports as `seen`. */
  count: number;
  /** By chunk index; a hole is a chunk not heard of. */
  chunks: (Chunk | undefined)[];
  /** Loudest point (0…1) of each chunk. */
  peaks: number[];
  decisions: (Decision | undefined)[];
  timings: (Timing | undefined)[];
  decided: number;
  turns: TurnRecord[];
  notices: Notice[];
  /** A TEXT_BEGIN was decided and its turn has not ended. */
  speaking: boolean;
}

export function emptyTalk(): Talk {
  return {
    count: 0,
    chunks: [],
    peaks: [],
    decisions: [],
    timings: [],
    decided: 0,
    turns: [],
    notices: [],
    speaking: false,
  };
}

/** Adds one event to `talk`. Event types of a newer kernel are counted and otherwise passed over. */
export function applyEvent(talk: Talk, event: SessionEvent): void {
  talk.count += 1;
  switch (event.type) {
    case "chunk":
      talk.chunks[event.chunk] = event;
      talk.peaks[event.chunk] = event.envelope.reduce((peak, value) => Math.max(peak, value), 0);
      break;
    case "decision":
      if (!talk.decisions[event.chunk]) talk.decided += 1;
      talk.decisions[event.chunk] = event;
      talk.speaking = event.choice === "TEXT_BEGIN";
      break;
    case "token": {
      const turn = turnRecord(talk, event.turn, event.chunk);
      turn.tokens[event.index] = event;
      turn.text += event.text;
      turn.emotion ??= emotionOf(event);
      turn.version += 1;
      break;
    }
    case "turn": {
      const turn = turnRecord(talk, event.turn, event.chunk);
      turn.text = event.text;
      turn.emotion = event.emotion;
      turn.ended = event.ended;
      turn.version += 1;
      talk.speaking = false;
      break;
    }
    case "notice":
      talk.notices.push(event);
      break;
    case "timing":
      talk.timings[event.chunk] = event;
      break;
  }
}

function turnRecord(talk: Talk, turn: number, chunk: number): TurnRecord {
  for (let i = talk.turns.length - 1; i >= 0; i--) {
    const found = talk.turns[i] as TurnRecord;
    if (found.turn === turn) return found;
    if (found.turn < turn) break;
  }
  const fresh: TurnRecord = { turn, chunk, tokens: [], text: "", emotion: null, ended: null, version: 0 };
  talk.turns.push(fresh);
  return fresh;
}

/** The emotion that a token of a running reply stands for: it adds no text, and the alternatives name it. */
export function emotionOf(token: Token): Emotion | null {
  if (token.text !== "" || token.index !== 0) return null;
  const name = token.alternatives.find((other) => other.token === token.token)?.text.toLowerCase();
  return EMOTIONS.find((emotion) => emotion === name) ?? null;
}

/** Start of a chunk in seconds; known also for a chunk not heard of yet, since chunks follow one another. */
export function chunkStart(talk: Talk, chunk: number): number {
  const known = talk.chunks[chunk] ?? talk.decisions[chunk];
  return known ? known.start_s : chunk * CHUNK_SECONDS;
}

/** End of the newest chunk in seconds. */
export function talkEnd(talk: Talk): number {
  const last = Math.max(talk.chunks.length, talk.decisions.length) - 1;
  return last < 0 ? 0 : chunkStart(talk, last) + CHUNK_SECONDS;
}

/** When a reply begins and how long it took, in seconds. A running reply lasts as long as is known. */
export function turnSpan(talk: Talk, turn: TurnRecord): { start: number; seconds: number } {
  const start = chunkStart(talk, turn.chunk) + CHUNK_SECONDS;
  const spent = talk.timings[turn.chunk]?.reply_ms ?? 0;
  return { start, seconds: spent > 0 ? spent / 1000 : Math.max(0.1, turn.tokens.length * 0.04) };
}
