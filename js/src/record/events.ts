/** The events of a session, as `ai_widgets/protocol.py` writes them with `to_json`. */

/** Version of the fields below; `completeEvent` fills in what an older kernel or notebook left out. */
export const EVENTS_VERSION = 2;
export const CHUNK_SECONDS = 0.4;
/** Values of a chunk's envelope: one peak per 25 ms. */
export const ENVELOPE_POINTS = 16;
/** A chunk's log-mel as the model heard it: frames of 40 ms, bands from low to high. */
export const MEL_FRAMES = 10;
export const MEL_BANDS = 32;

export type Choice = "KEEP_SILENCE" | "TEXT_BEGIN" | "OTHER";
export type Ending = "TEXT_END" | "limit" | "interrupted" | "error";

export const EMOTIONS = ["happy", "sad", "angry", "surprise", "normal", "urgent"] as const;
export type Emotion = (typeof EMOTIONS)[number];

/** One of the likeliest tokens at a step, and what became of its probability on the way to the draw. */
export interface Alternative {
  token: number;
  text: string;
  /** Raw probability. */
  p: number;
  /** After mask, bias and temperature. */
  scaled: number;
  /** After top-k and top-p, renormalised; 0 where these removed it. */
  kept: number;
}

/** The sampling rule in effect at a decision. */
export interface Rule {
  greedy: boolean;
  temperature: number;
  /** Null: all tokens. */
  top_k: number | null;
  top_p: number;
  bias: number;
  mask: boolean;
  seed: number;
}

export interface Chunk {
  type: "chunk";
  chunk: number;
  clip: number;
  start_s: number;
  rms_db: number;
  envelope: number[];
  /** `clipped`, `padded`, `tail`, `waited`, `repaired`, `channels_cancel`, `dc_offset`, `gated`, `late`, `dropped`, … */
  flags: string[];
  /** Log-mel in base64, frame by frame, one byte a band; empty where unknown. */
  mel: string;
  /** Maximum that the log-mel floor is relative to: of the stream so far, or of the whole clip. */
  floor: "running" | "clip";
  /** State of the running features where the chunk does not follow the recorded one before; empty otherwise. */
  lead: string;
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
  /** Tokens fed before AUDIO_BEGIN in this step. */
  before: number[];
  /** Oldest chunk that is still in the context. */
  oldest: number;
  /** Positions of the context in use after the step, and how many there may be. */
  used: number;
  limit: number;
  rule: Partial<Rule>;
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
  /** Stream and block that completed the chunk; 0 and −1 where it came from Python. */
  stream: number;
  seq: number;
  /** Unix epoch in ms on the kernel's clock: the block's arrival, and the decision. 0 where unknown. */
  arrived_ms: number;
  decided_ms: number;
  /** The part of `queue_ms` that came before the features. */
  encode_wait_ms: number;
  /** From the capture of the chunk's last sample to its arrival; 0 where it is no microphone's or not known. */
  capture_ms: number;
}

export type SessionEvent = Chunk | Decision | Token | Turn | Notice | Timing;

/** An event with every field of version 2; what an older writer left out gets the value that means "unknown". */
export function completeEvent(event: SessionEvent): SessionEvent {
  switch (event.type) {
    case "chunk":
      return event.mel === undefined ? { ...event, mel: "" } : event;
    case "decision":
      return {
        ...event,
        alternatives: completeAlternatives(event.alternatives),
        before: event.before ?? [],
        oldest: event.oldest ?? 0,
        used: event.used ?? event.position + 1,
        limit: event.limit ?? 0,
        rule: event.rule ?? {},
      };
    case "token":
      return { ...event, alternatives: completeAlternatives(event.alternatives) };
    case "timing":
      return {
        ...event,
        stream: event.stream ?? 0,
        seq: event.seq ?? -1,
        arrived_ms: event.arrived_ms ?? 0,
        decided_ms: event.decided_ms ?? 0,
        encode_wait_ms: event.encode_wait_ms ?? 0,
        capture_ms: event.capture_ms ?? 0,
      };
    default:
      return event;
  }
}

function completeAlternatives(alternatives: readonly Alternative[] = []): Alternative[] {
  return alternatives.map((other) => ({
    ...other,
    scaled: other.scaled ?? other.p,
    kept: other.kept ?? other.p,
  }));
}
