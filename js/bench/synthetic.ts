/** Synthetic record of any length without a model: speech and pauses, replies, flags, notices, latencies. */
import { MEL_BANDS, MEL_FRAMES, type SessionEvent } from "../src/record/events";
import { applyEvent, type SessionRecord } from "../src/record/record";

/** Create a generator of pseudo-random numbers in [0, 1). */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const REPLIES = [
  "You said seven.",
  "That sounds like an alarm! Is everything all right?",
  "Yes.",
  "Three and four make seven, I think.",
];
const EMOTIONS = ["normal", "urgent", "happy", "surprise"] as const;
const RULE = { greedy: false, temperature: 0.3, top_k: 3, top_p: 1, bias: 0, mask: true, seed: 0 };
/** Chunks from one spoken sentence to the next. */
const SENTENCE_CHUNKS = 24;

/** Add the events of the chunks `from`…`to` (exclusive) to `record`. */
export function addChunks(record: SessionRecord, from: number, to: number): void {
  const random = dice(from + 1);
  for (let k = from; k < to; k++) {
    for (const event of chunkEvents(k, random)) applyEvent(record, event);
    const ms = random() < 0.01 ? 260 : 6;
    record.latency.takeWay(k, {
      capture: 12 + 8 * random(),
      uplink: ms,
      downlink: 4 * random(),
      paint: 9 * random(),
    });
    record.touch(k);
  }
}

function chunkEvents(k: number, random: () => number): SessionEvent[] {
  const at = k % SENTENCE_CHUNKS;
  const voice = at >= 5 && at < 11 ? Math.sin(((at - 4) / 7) * Math.PI) : 0;
  const speaks = at === 11;
  const p_text = speaks ? 0.7 + 0.25 * random() : voice > 0 ? 0.1 + 0.3 * voice * random() : 0.02 * random();
  const p_other = 0.01 + (at === 3 ? 0.15 * random() : 0);
  const flags = flagsOf(k, random);
  const events: SessionEvent[] = [
    {
      type: "chunk",
      chunk: k,
      clip: 0,
      start_s: k * 0.4,
      rms_db: -58 + 40 * voice,
      envelope: Array.from({ length: 16 }, () => Math.round(1e4 * (0.01 + 0.7 * voice * random())) / 1e4),
      flags,
      mel: flags.includes("dropped") ? "" : melOf(voice, random),
      floor: "running",
      lead: "",
    },
    {
      type: "decision",
      chunk: k,
      clip: 0,
      start_s: k * 0.4,
      token: speaks ? 1 : 2,
      choice: speaks ? "TEXT_BEGIN" : k % 977 === 500 ? "OTHER" : "KEEP_SILENCE",
      p_keep: 1 - p_text - p_other,
      p_text,
      p_other,
      logit_keep: 3,
      logit_text: 1,
      p_drawn: 0.9,
      draw: random(),
      argmax: 2,
      position: 20 + 13 * k,
      alternatives: [1, 2, 3, 4, 5].map((token) => ({
        token,
        text: `t${token}`,
        p: 0.2,
        scaled: 0.2,
        kept: 0.2,
      })),
      before: [2],
      oldest: Math.max(0, k - 100),
      used: 1000,
      limit: 1500,
      rule: k > 60 ? { ...RULE, bias: 0.8 } : RULE,
    },
    {
      type: "timing",
      chunk: k,
      features_ms: 1.5,
      tower_ms: 14 + 6 * random(),
      decide_ms: 22 + 10 * random(),
      reply_ms: speaks ? 400 + 900 * random() : 0,
      queue_ms: at > 11 && at < 15 ? 120 - 30 * (at - 11) : random() < 0.003 ? 600 : 1,
      stream: 1,
      seq: k * 4,
      arrived_ms: 0,
      decided_ms: 0,
      encode_wait_ms: 0,
      capture_ms: 0,
      network_ms: 0,
    },
  ];
  if (speaks) events.push(...replyEvents(k, random));
  events.push(...noticeEvents(k));
  return events;
}

function flagsOf(k: number, random: () => number): string[] {
  const at = k % SENTENCE_CHUNKS;
  if (at === 12 || at === 13) return ["waited"];
  if (at === 8 && random() < 0.5) return ["clipped"];
  if (k % 96 === 40) return ["gated"];
  if (k % 96 === 41) return ["late"];
  if (k % 96 === 43) return ["dropped"];
  return k % 96 === 44 ? ["padded"] : [];
}

function melOf(voice: number, random: () => number): string {
  const bytes = Array.from({ length: MEL_FRAMES * MEL_BANDS }, (_, i) => {
    const band = i % MEL_BANDS;
    const formants = Math.exp(-(((band - 6) / 4) ** 2)) + 0.7 * Math.exp(-(((band - 17) / 3) ** 2));
    return Math.min(255, Math.round(30 + 25 * random() + 200 * voice * formants * (0.5 + 0.5 * random())));
  });
  return btoa(String.fromCharCode(...bytes));
}

function replyEvents(k: number, random: () => number): SessionEvent[] {
  const turn = Math.floor(k / SENTENCE_CHUNKS);
  const text = REPLIES[turn % REPLIES.length] as string;
  const tokens = text.match(/\s*\S+/g) ?? [];
  return [
    ...tokens.map(
      (word, index): SessionEvent => ({
        type: "token",
        chunk: k,
        turn,
        index,
        token: 100 + index,
        p: 0.3 + 0.7 * random(),
        text: word,
        p_drawn: 0.9,
        draw: random(),
        argmax: 100 + index,
        position: 30,
        alternatives: [],
      }),
    ),
    {
      type: "turn",
      chunk: k,
      turn,
      clip: 0,
      start_s: k * 0.4,
      emotion: EMOTIONS[turn % EMOTIONS.length] as (typeof EMOTIONS)[number],
      text,
      tokens: tokens.map((_, i) => 100 + i),
      ended: turn % 9 === 8 ? "interrupted" : "TEXT_END",
    },
  ];
}

function noticeEvents(k: number): SessionEvent[] {
  const notice = (kind: string): SessionEvent => ({
    type: "notice",
    chunk: k,
    kind,
    message: `${kind} at ${k}`,
    data: {},
  });
  if (k % 96 === 43) return [notice("dropped")];
  if (k % 96 === 60) return [notice("settings")];
  if (k % 96 === 20) return [notice("interrupted")];
  if (k % 977 === 500) return [notice("violation")];
  return k > 150 && k % 2 === 0 ? [notice("context_slide")] : k === 70 ? [notice("context_reset")] : [];
}
