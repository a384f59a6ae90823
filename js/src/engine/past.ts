/**
 * Past: what a recording holds of its session, so that the engine can hear it again (`ai_widgets/session/replay.py`):
 * settings, what happened from outside, and each chunk's audio as it was perceived.
 */

import { completeEvent } from "../record/complete-event";
import { CHUNK_SECONDS, type Chunk } from "../record/events";
import type { ChunkAudio } from "./chunker";
import type { Origin, Recorded } from "./engine";
import { SessionError } from "./errors";
import { CHUNK_SAMPLES, type FeaturesState } from "./log-mel";
import { originOf } from "./loop-state";
import { type Script, scriptAfter, scriptOf } from "./script";
import { WholeClip } from "./whole-clip";

/** Flags that a session derives itself, from the clock and from its input. */
export const DERIVED = ["late", "dc_offset", "unheard"];

/** Recording, checked. It can be posted to a worker. */
export interface Past {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly script: Script;
  readonly chunks: readonly PastChunk[];
  /** Samples of all chunks at 16 kHz. */
  readonly samples: Float32Array;
  /** Whether the last chunk ends its clip. */
  readonly closing: boolean;
}

export interface PastChunk {
  readonly clip: number;
  /** Flags without the derived ones. */
  readonly flags: readonly string[];
  readonly floor: Chunk["floor"];
  /** State of the running features, where the chunk does not follow the one before; else empty. */
  readonly lead: string;
}

/** Chunk that is heard again. */
export interface GivenChunk {
  readonly audio: ChunkAudio<Origin>;
  readonly clip: number;
  /** Clip whose floor the features have, and the chunk's place in it; null for the running floor. */
  readonly whole: { readonly clip: WholeClip; readonly place: number } | null;
  readonly lead: { readonly text: string; readonly state: FeaturesState } | null;
}

export interface Given {
  readonly chunks: readonly GivenChunk[];
  readonly closing: boolean;
}

/**
 * Check that a recording can be heard again, and return what that takes.
 *
 * @throws SessionError if it lacks settings, chunks or audio, or holds several sessions.
 */
export function pastOf({ settings, sessions, events, samples, firstChunk }: Recorded): Past {
  if (Object.keys(settings).length === 0) {
    throw new SessionError(
      "The recording does not say with which settings its session began, so it cannot be run again.",
    );
  }
  const complete = events.map(completeEvent);
  const heard = complete.filter((event) => event.type === "chunk");
  if (sessions > 1 || heard.some(({ chunk }, place) => chunk !== place)) {
    throw new SessionError(
      "The recording holds several sessions, or lacks chunks, so it cannot be run again.",
    );
  }
  const kept = Math.floor(samples.length / CHUNK_SAMPLES);
  if (firstChunk > 0 || kept < heard.length) {
    const lacking = firstChunk > 0 ? 0 : kept;
    const at = (lacking * CHUNK_SECONDS).toFixed(1);
    throw new SessionError(
      `The recording has no audio of chunk ${lacking} (at ${at} s), so it cannot be run again.`,
    );
  }
  const lost = complete.find(
    (event) => event.type === "notice" && event.kind === "context_reset" && event.data.why === "interrupted",
  );
  if (lost) {
    throw new SessionError(
      `An interrupt discarded the context at chunk ${lost.chunk}, which only Python repeats: model.rerun(record).`,
    );
  }
  const script = scriptAfter(scriptOf(complete, Object.keys(settings)), -1, []);
  const last = heard.at(-1);
  const ending = last
    ? [last.floor === "clip", ...["padded", "tail"].map((flag) => last.flags.includes(flag))]
    : [];
  return {
    ...{ settings, script, closing: ending.includes(true) },
    samples: samples.subarray(0, heard.length * CHUNK_SAMPLES),
    chunks: heard.map((event) => {
      const leave = script.undecided.has(event.chunk)
        ? DERIVED.filter((flag) => flag !== "unheard")
        : DERIVED;
      const flags = (event.flags ?? []).filter((flag) => !leave.includes(flag));
      return { clip: event.clip, flags, floor: event.floor ?? "running", lead: event.lead ?? "" };
    }),
  };
}

/** Return the chunks of a past with their audio. */
export function givenOf({ chunks, samples, closing }: Past): Given {
  const origin = originOf();
  const given = chunks.map(({ clip, flags, floor, lead }, at): GivenChunk & { floor: Chunk["floor"] } => ({
    audio: { samples: samples.slice(at * CHUNK_SAMPLES, (at + 1) * CHUNK_SAMPLES), flags, origin },
    ...{ clip, floor, whole: null, lead: lead ? { text: lead, state: leadOf(lead, at) } : null },
  }));
  return { chunks: withClips(given, (chunk) => chunk.floor === "clip"), closing };
}

/** Return the chunks with other audio at some places; the floor of a whole clip is measured again there. */
export function replaced(given: Given, audio: ReadonlyMap<number, ChunkAudio<Origin>>): Given {
  if (audio.size === 0) return given;
  const chunks = given.chunks.map((chunk, at) => ({ ...chunk, audio: audio.get(at) ?? chunk.audio }));
  return { ...given, chunks: withClips(chunks, ({ whole }) => whole !== null) };
}

/** Return chunks with the clips that some of them belong to: consecutive ones, and the tail apart. */
function withClips<C extends GivenChunk>(chunks: readonly C[], inClip: (chunk: C) => boolean): GivenChunk[] {
  const found: GivenChunk[] = [];
  const key = (chunk: C) => (inClip(chunk) ? `${chunk.clip} ${chunk.audio.flags.includes("tail")}` : "");
  for (let start = 0; start < chunks.length; ) {
    const first = chunks[start] as C;
    let end = start + 1;
    while (end < chunks.length && key(chunks[end] as C) === key(first)) end++;
    const group = chunks.slice(start, end);
    const clip = inClip(first) ? new WholeClip(group.map(({ audio }) => audio.samples)) : null;
    for (const [place, chunk] of group.entries()) {
      const { audio, clip: number, lead } = chunk;
      found.push({ audio, clip: number, lead, whole: clip && { clip, place } });
    }
    start = end;
  }
  return found;
}

/** Bytes of the running maximum (float64) before the samples (float32), little-endian. */
const LEAD_HEAD = 8;

/** Read the state of the running features that an event holds (`ai_widgets/session/features_state.py`). */
function leadOf(text: string, chunk: number): FeaturesState {
  let letters = "";
  try {
    letters = atob(text);
  } catch {
    // No base64: refused below.
  }
  if (letters.length < LEAD_HEAD || letters.length % 4 > 0) {
    throw new SessionError(
      `The features before chunk ${chunk} are damaged, so the recording cannot be run again.`,
    );
  }
  const view = new DataView(Uint8Array.from(letters, (letter) => letter.charCodeAt(0)).buffer);
  const count = (letters.length - LEAD_HEAD) / 4;
  const left = Float32Array.from({ length: count }, (_, i) => view.getFloat32(LEAD_HEAD + 4 * i, true));
  return { left: count > 0 ? left : null, maximum: view.getFloat64(0, true) };
}
