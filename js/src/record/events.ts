// Generated from schema/events.json: do not edit. After a change in Python, run: make schema

export const EVENTS_VERSION = 2;
export const CHUNK_SECONDS = 0.4;
export const ENVELOPE_POINTS = 16;
export const MEL_FRAMES = 10;
export const MEL_BANDS = 32;
export const EMOTIONS = ["happy","sad","angry","surprise","normal","urgent"] as const;

export type Choice = "KEEP_SILENCE" | "TEXT_BEGIN" | "OTHER";

export type Ending = "TEXT_END" | "limit" | "interrupted" | "error";

/** Event of one chunk of model input, 0.4 s of 16 kHz audio. */
export interface Chunk {
  readonly type: "chunk";
  /** Index of the chunk in the session, and index of its clip (file or recording). */
  readonly chunk: number;
  readonly clip: number;
  /** Start of the chunk on the session's audio clock, in seconds. */
  readonly start_s: number;
  /** Root-mean-square level, in dBFS; −120 for digital silence. */
  readonly rms_db: number;
  /** Peak magnitude (0…1) of each 25 ms, 16 values; drawn by the level lane. */
  readonly envelope: readonly number[];
  /**
   * Conditions of the audio: `clipped`, `padded` (zeros were appended), `tail` (silence added after a clip),
   * `waited` (arrived during a reply), `late` (microphone, more than 0.4 s from capture to decision),
   * `gated`, `dropped`, `repaired` (NaN or infinity replaced by 0), `channels_cancel` (the louder channel
   * was used, because the average of all is silent), `dc_offset` (constant offset), `unheard` (not decided:
   * the session had ended or the chunk could not be perceived).
   */
  readonly flags: readonly string[];
  /**
   * Thumbnail of the encoder's input features: base64 of 10 frames × 32 bands, one byte each, frame by
   * frame, the lowest band first (`audio.features.thumbnail`). Empty if unknown.
   */
  readonly mel: string;
  /**
   * Log-mel floor of the frames: below the maximum of the stream so far (`running`) or of the whole clip
   * (`clip`).
   */
  readonly floor: "clip" | "running";
  /**
   * State of the running features where the chunk before is not in the record (`session.features_state`), or
   * empty.
   */
  readonly lead: string;
}

/** Event of the model's decision after one chunk: keep silent or begin a reply. */
export interface Decision {
  readonly type: "decision";
  /** Index of the chunk that the event belongs to, counted from the start of the session. */
  readonly chunk: number;
  /** Index of the chunk's clip, and start of the chunk on the session's audio clock, in seconds. */
  readonly clip: number;
  readonly start_s: number;
  /** Drawn token id and its name. `OTHER` is a protocol violation, possible only with `mask=False`. */
  readonly token: number;
  readonly choice: Choice;
  /**
   * Raw probabilities of KEEP_SILENCE, TEXT_BEGIN and all other tokens together (softmax over the whole
   * vocabulary, before bias and temperature). Their sum is 1.
   */
  readonly p_keep: number;
  readonly p_text: number;
  readonly p_other: number;
  /** Raw logits of KEEP_SILENCE and TEXT_BEGIN. */
  readonly logit_keep: number;
  readonly logit_text: number;
  /**
   * Probability of `token` in the distribution that it was drawn from, after mask, bias, temperature, top-k
   * and top-p.
   */
  readonly p_drawn: number;
  /** Uniform random number in [0, 1) that selected the token; None for greedy decoding. */
  readonly draw: number | null;
  /** Most probable token of the whole vocabulary. */
  readonly argmax: number;
  /** Context position of the last token fed; its logits give the decision. */
  readonly position: number;
  /** Most probable tokens by raw probability, always with the drawn token and both decision tokens. */
  readonly alternatives: readonly Alternative[];
  /**
   * Tokens fed before the chunk's block: the prefix if the context was empty, otherwise the last drawn
   * token, followed by TEXT_END if a reply was truncated. Empty if a slide left only the prefix.
   */
  readonly before: readonly number[];
  /** Oldest chunk in the context, positions in use after the step, and their maximum. */
  readonly oldest: number;
  readonly used: number;
  readonly limit: number;
  /**
   * Settings in effect: `greedy`, `temperature`, `top_k` (None: all), `top_p`, `bias`, `mask`, `seed`; of a
   * forced decision also `forced`, the token's name. Of a policy its name (`policy`), parameters and state.
   */
  readonly rule: Rule;
}

/** Candidate token of one step, with its probability at each stage of sampling. */
export interface Alternative {
  /** Token id, and the token's text or special name. */
  readonly token: number;
  readonly text: string;
  /** Raw probability: softmax over the whole vocabulary. */
  readonly p: number;
  /**
   * Probability after mask, bias and temperature: softmax over the allowed tokens. With greedy decoding the
   * temperature is 1.
   */
  readonly scaled: number;
  /**
   * Probability after top-k and top-p, normalised again: the distribution that is drawn from. 0 if removed;
   * with greedy decoding 1 for the drawn token.
   */
  readonly kept: number;
}

/** Event of one reply token, the emotion token included, TEXT_END excluded. */
export interface Token {
  readonly type: "token";
  /** Index of the chunk that the event belongs to, counted from the start of the session. */
  readonly chunk: number;
  /** Index of the reply in the session, and of the token in the reply. */
  readonly turn: number;
  readonly index: number;
  /** Token id, and its raw probability. */
  readonly token: number;
  readonly p: number;
  /**
   * Text that the token adds to the visible reply; empty for an emotion, and while the UTF-8 bytes of a
   * character are incomplete.
   */
  readonly text: string;
  /** As in `Decision`. */
  readonly p_drawn: number;
  readonly draw: number | null;
  readonly argmax: number;
  readonly position: number;
  readonly alternatives: readonly Alternative[];
}

/** Event of a complete reply, emitted when the reply ends. */
export interface Turn {
  readonly type: "turn";
  /** Index of the chunk whose decision began the reply, and the start of that chunk, in seconds. */
  readonly chunk: number;
  /** Index of the reply in the session, and of the chunk's clip. */
  readonly turn: number;
  readonly clip: number;
  /** Index of the chunk whose decision began the reply, and the start of that chunk, in seconds. */
  readonly start_s: number;
  /** Emotion token or None, and the reply's text without the emotion. */
  readonly emotion: Emotion | null;
  readonly text: string;
  /** Token ids after TEXT_BEGIN, the emotion included, TEXT_END excluded. */
  readonly tokens: readonly number[];
  /**
   * Reason of the end: `TEXT_END`, `limit`, `interrupted` (Ctrl-C, a closed session, a lost server) or
   * `error`.
   */
  readonly ended: Ending;
}

/** Emotion token at the start of a reply. The emotion is not part of the reply's text. */
export type Emotion = "angry" | "happy" | "normal" | "sad" | "surprise" | "urgent";

/** Event that informs the user: a limit, a slide, a reset, a violation, changed settings, or lost audio. */
export interface Notice {
  readonly type: "notice";
  /** Index of the chunk that the event belongs to, counted from the start of the session. */
  readonly chunk: number;
  /**
   * Word for programs. Of the context: `context_slide`, `context_reset`, `context_full`, `limit`. Of the
   * model: `violation`, `undecided`. Of the settings: `settings`. Of a fork: `fork`, `context_rebuilt`. Of a
   * class server: `server_changed`, `context_rebuilt`. Of the input: `silent_input`, `faint_input`,
   * `dc_offset`, `channels_cancel`, `repaired` (with `phase`). Of a file: `cut`, `header_repaired`,
   * `damaged`. Of the record: `audio_discarded`, `audio_missing`, `events_reduced`, `not_written`,
   * `salvaged`.
   */
  readonly kind: string;
  /** Sentence for the user. */
  readonly message: string;
  /** Values of the sentence, for programs. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** Event of the processing times of one chunk, in milliseconds on the kernel's clock. */
export interface Timing {
  readonly type: "timing";
  /** Index of the chunk that the event belongs to, counted from the start of the session. */
  readonly chunk: number;
  /**
   * Duration of the log-mel features, the audio tower, the decision step, and the whole reply (0 without
   * one).
   */
  readonly features_ms: number;
  readonly tower_ms: number;
  readonly decide_ms: number;
  readonly reply_ms: number;
  /**
   * Time that the chunk spent in queues between the arrival of its last sample and the start of its
   * decision, and the part of it before the features. 0 for audio from a file or from Python, which has no
   * deadline.
   */
  readonly queue_ms: number;
  /**
   * Stream and sequence number of the browser block that completed the chunk; 0 and −1 for audio from
   * Python.
   */
  readonly stream: number;
  readonly seq: number;
  /** Unix time, in milliseconds, of the arrival of that block (or of the samples) and of the decision. */
  readonly arrived_ms: number;
  readonly decided_ms: number;
  /**
   * Time that the chunk spent in queues between the arrival of its last sample and the start of its
   * decision, and the part of it before the features. 0 for audio from a file or from Python, which has no
   * deadline.
   */
  readonly encode_wait_ms: number;
  /**
   * Time between the capture of the chunk's last sample and its arrival, spent in the page, the connection
   * and the kernel's message queue. 0 if the audio is not from a microphone or the time is unknown.
   */
  readonly capture_ms: number;
  /**
   * Time of the decision outside of a class server's computing: network and queue. 0 with a model in the
   * kernel.
   */
  readonly network_ms: number;
}

/** Sampling rule of a decision. */
export interface Rule {
  readonly bias?: number;
  readonly forced?: "KEEP_SILENCE" | "TEXT_BEGIN";
  readonly greedy?: boolean;
  readonly mask?: boolean;
  readonly seed?: number;
  readonly temperature?: number;
  readonly top_k?: number | null;
  readonly top_p?: number;
}

export type SessionEvent = Chunk | Decision | Token | Turn | Notice | Timing;
