/** What the kernel says of recordings: the one that is shown, one that is being read, a replay, a file being saved. */
import type { RecordingFormat, ReplayState } from "../channel/messages";
import { readVocabulary, type Vocabulary } from "../record/vocabulary";
import { isObject } from "../text/json";

/** A recording that is shown in place of the session. */
export interface ShownRecording {
  name: string;
  /** Model, device and date, each a short text. */
  facts: readonly string[];
  /** Of the model that made it; null where the recording does not say. */
  vocabulary: Vocabulary | null;
  /** Why no branch can be forked from it, as a sentence; empty where none is ever offered, null if it can be forked. */
  refusal: string | null;
}

/** A recording of this or another page that the kernel is reading. */
export interface OpeningRecording {
  name: string;
  done: number;
  total: number;
}

/** Progress or result of a replay. */
export interface ReplayCheck {
  state: Exclude<ReplayState, "none">;
  done: number;
  total: number;
  /** Chunk of the first difference; −1 if there is none. */
  chunk: number;
  message: string;
}

/** A file that the kernel writes, or that is on its way to this page. */
export interface Saving {
  format: RecordingFormat;
  /** Empty while the kernel writes it. */
  name: string;
  done: number;
  total: number;
  /** The kernel has not answered for some seconds. */
  slow: boolean;
}

/** Read a `recording` message: a shown recording, one that is being read, or neither. */
export function readRecording(value: unknown): {
  shown: ShownRecording | null;
  opening: OpeningRecording | null;
} {
  const none = { shown: null, opening: null };
  if (!isObject(value)) return none;
  const name = String(value.name ?? "");
  if (value.state === "loading") {
    return { shown: null, opening: { name, done: Number(value.done) || 0, total: Number(value.total) || 0 } };
  }
  if (value.state !== "shown") return none;
  const facts = Array.isArray(value.facts) ? value.facts.map(String) : [];
  return { shown: { name, facts, vocabulary: readVocabulary(value), refusal: "" }, opening: null };
}

/** Read a `replayed` message; null if nothing was replayed. */
export function readReplayed(value: unknown): ReplayCheck | null {
  if (!isObject(value) || typeof value.state !== "string" || value.state === "none") return null;
  return {
    state: value.state as ReplayCheck["state"],
    done: Number(value.done) || 0,
    total: Number(value.total) || 0,
    chunk: typeof value.chunk === "number" ? value.chunk : -1,
    message: String(value.message ?? ""),
  };
}
