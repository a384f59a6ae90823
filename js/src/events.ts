/** The events of a session, as `ai_widgets/protocol.py` writes them with `to_json`. */

export const CHUNK_SECONDS = 0.4;
/** Values of a chunk's envelope: one peak per 25 ms. */
export const ENVELOPE_POINTS = 16;

export type Choice = "KEEP_SILENCE" | "TEXT_BEGIN" | "OTHER";
export type Ending = "TEXT_END" | "limit" | "interrupted";

export const EMOTIONS = ["happy", "sad", "angry", "surprise", "normal", "urgent"] as const;
export type Emotion = (typeof EMOTIONS)[number];

/** One of the likeliest tokens at a step, with its raw probability. */
export interface Alternative {
  token: number;
  text: string;
  p: number;
}

export interface Chunk {
  type: "chunk";
  chunk: number;
  clip: number;
  start_s: number;
  rms_db: number;
  envelope: number[];
  /** `clipped`, `padded`, `tail`, `waited`, `repaired`, … */
  flags: string[];
}

export interface Decision {
  type: "decision";
  chunk: number;
  clip: number;
  start_s: number;
  token: number;
  choice: Choice;
  p_keep: number;
  p_text: number;
  p_other: number;
  logit_keep: number;
  logit_text: number;
  p_drawn: number;
  draw: number | null;
  argmax: number;
  position: number;
  alternatives: Alternative[];
}

export interface Token {
  type: "token";
  chunk: number;
  turn: number;
  index: number;
  token: number;
  p: number;
  text: string;
  p_drawn: number;
  draw: number | null;
  argmax: number;
  position: number;
  alternatives: Alternative[];
}

export interface Turn {
  type: "turn";
  chunk: number;
  turn: number;
  clip: number;
  start_s: number;
  emotion: Emotion | null;
  text: string;
  tokens: number[];
  ended: Ending;
}

export interface Notice {
  type: "notice";
  chunk: number;
  kind: string;
  message: string;
  data: Record<string, unknown>;
}

export interface Timing {
  type: "timing";
  chunk: number;
  features_ms: number;
  tower_ms: number;
  decide_ms: number;
  reply_ms: number;
  queue_ms: number;
}

export type SessionEvent = Chunk | Decision | Token | Turn | Notice | Timing;
