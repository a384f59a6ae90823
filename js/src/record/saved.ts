/**
 * Record from the history trait: what a reloaded page or a saved notebook shows without a kernel. The kernel writes
 * the trait in columns (`widget/history.py`), limited to the newest chunks.
 */

import { isObject } from "../text/json";
import { completeEvent } from "./complete-event";
import { CHUNK_SECONDS, ENVELOPE_POINTS, MEL_BANDS, MEL_FRAMES, type SessionEvent } from "./events";
import { applyEvent, emptyRecord, type SessionRecord } from "./record";

/** Version of the history trait that this page reads (`widget/history.py`). */
const HISTORY_VERSION = 1;
/** Fields without a column, because they are the same or unknown in every row. */
const CHUNK_DEFAULTS = {
  clip: 0,
  rms_db: -120,
  envelope: [],
  flags: [],
  mel: "",
  floor: "running",
  lead: "",
};
const DECISION_DEFAULTS = {
  ...{ clip: 0, token: -1, choice: "KEEP_SILENCE", draw: null, argmax: -1, position: 0, alternatives: [] },
  ...{ p_keep: 0, p_text: 0, p_other: 0, logit_keep: 0, logit_text: 0, p_drawn: 0 },
};
const TIMING_DEFAULTS = { features_ms: 0, tower_ms: 0, decide_ms: 0, reply_ms: 0, queue_ms: 0 };

type Row = Record<string, unknown>;

/** Build the record of a history; null if the history is empty, or of an unknown version. */
export function recordOfHistory(history: unknown): SessionRecord | null {
  if (!isObject(history) || history.version !== HISTORY_VERSION) return null;
  const record = emptyRecord();
  for (const event of eventsOf(history)) applyEvent(record, completeEvent(event));
  // A reply that was running when the notebook was saved has ended.
  record.speaking = false;
  return record.count > 0 ? record : null;
}

function* eventsOf(history: Row): Generator<SessionEvent> {
  const audio = isObject(history.chunks) ? history.chunks : {};
  const envelopes = bytesOf(audio.env);
  const mels = bytesOf(audio.mel);
  const melFrom = typeof audio.mel_from === "number" ? audio.mel_from : 0;
  const starts = new Map<unknown, unknown>();
  for (const [i, row] of rowsOf(audio).entries()) {
    starts.set(row.chunk, row.start_s);
    const envelope = Array.from(part(envelopes, i, ENVELOPE_POINTS), (peak) => peak / 255);
    const mel = i < melFrom ? "" : base64Of(part(mels, i - melFrom, MEL_BANDS * MEL_FRAMES));
    yield { type: "chunk", ...CHUNK_DEFAULTS, ...row, envelope, mel } as unknown as SessionEvent;
  }
  const rules = [...listOf(history.rules)] as [number, Row][];
  let rule: Row = {};
  for (const [i, row] of rowsOf(history.decisions).entries()) {
    if (rules[0]?.[0] === i) rule = rules.shift()?.[1] ?? {};
    const start_s = starts.get(row.chunk) ?? Number(row.chunk) * CHUNK_SECONDS;
    yield { type: "decision", ...DECISION_DEFAULTS, start_s, rule, ...row } as unknown as SessionEvent;
  }
  for (const name of ["tokens", "turns", "notices"]) {
    for (const event of listOf(history[name])) if (isObject(event)) yield event as unknown as SessionEvent;
  }
  for (const row of rowsOf(history.timings)) {
    yield { type: "timing", ...TIMING_DEFAULTS, ...row } as unknown as SessionEvent;
  }
}

/** Convert columns of equal length to rows. A column that is no list (bytes in base64) is left to the caller. */
function rowsOf(table: unknown): Row[] {
  if (!isObject(table)) return [];
  const columns = Object.entries(table).filter(([, column]) => Array.isArray(column)) as [
    string,
    unknown[],
  ][];
  return listOf(table.chunk).map((_, i) => {
    const row: Row = {};
    for (const [name, column] of columns) if (column[i] !== undefined) row[name] = column[i];
    return row;
  });
}

function part(bytes: Uint8Array, i: number, size: number): Uint8Array {
  return bytes.subarray(i * size, (i + 1) * size);
}

function bytesOf(base64: unknown): Uint8Array {
  if (typeof base64 !== "string") return new Uint8Array(0);
  try {
    return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  } catch {
    // The notebook was edited by hand: the numbers can be shown without the picture.
    return new Uint8Array(0);
  }
}

function base64Of(bytes: Uint8Array): string {
  return bytes.length > 0 ? btoa(String.fromCharCode(...bytes)) : "";
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
