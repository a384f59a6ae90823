/** A recording as one file, `.aiw`: read with what is whole of it, and written (docs/record-format.md). */
import type { SessionEvent } from "../record/events";
import { type Member, type Members, readArchive, writeArchive } from "./archive";
import { eventOf } from "./event-shape";
import { CHUNK_SAMPLES, joined, readSun, sunBytes, sunHeader } from "./exact-audio";
import {
  HEADER_BYTES,
  type Header,
  headerText,
  NO_HEADER,
  RecordingError,
  readHeader,
} from "./recording-header";

export const MIME = "application/vnd.ai-widgets.recording+zip";
const NAMES = ["header.json", "events.jsonl", "audio.flac", "audio.rest", "audio.au"] as const;

/** Decodes FLAC audio at 16 kHz, mono. */
export type DecodeFlac = (bytes: Uint8Array) => Promise<Float32Array>;

export interface Recording {
  readonly header: Header;
  readonly events: readonly SessionEvent[];
  /** Audio as the model heard it, from the chunk `header.first_chunk` on; empty without audio. */
  readonly audio: Float32Array;
  /** What the file lacks, as parts of a sentence. */
  readonly lacks: readonly string[];
}

/**
 * Read a recording.
 *
 * @throws RecordingError with a sentence if the file is no recording or of a newer version.
 */
export async function readRecording(bytes: Uint8Array, name: string, decode: DecodeFlac): Promise<Recording> {
  const members = readArchive(bytes, NAMES, name);
  const { content } = members;
  const lacks = [...members.lacks];
  if (!content.has("header.json") && !content.has("events.jsonl")) {
    throw new RecordingError(`${name} is a zip archive but no recording of ai_widgets.`);
  }
  const header = headerOf(content, name, lacks);
  const events = eventsOf(content, lacks);
  if (!header && events.length === 0) {
    throw new RecordingError(
      `${name} is not a recording of ai_widgets: it holds neither a header nor events.`,
    );
  }
  const audio = await audioOf(content, header?.rest ?? false, decode, lacks);
  return { header: header ?? NO_HEADER, events, audio, lacks };
}

function headerOf(content: Members["content"], name: string, lacks: string[]): Header | null {
  const bytes = content.get("header.json");
  try {
    if (!bytes || bytes.length > HEADER_BYTES) throw new SyntaxError("missing");
    return readHeader(new TextDecoder().decode(bytes), name);
  } catch (error) {
    if (error instanceof RecordingError) throw error;
    lacks.push("its header is missing or damaged, so that model and settings are unknown");
    return null;
  }
}

function eventsOf(content: Members["content"], lacks: string[]): SessionEvent[] {
  const bytes = content.get("events.jsonl");
  if (!bytes) {
    lacks.push("its events are missing");
    return [];
  }
  const events: SessionEvent[] = [];
  let bad = 0;
  for (const line of new TextDecoder().decode(bytes).split("\n")) {
    if (line.trim() === "") continue;
    let event: ReturnType<typeof eventOf> = "damaged";
    try {
      event = eventOf(JSON.parse(line));
    } catch {
      // No JSON: counted as damaged.
    }
    if (event === "damaged") bad += 1;
    else if (event) events.push(event);
  }
  if (bad > 0) lacks.push(`${bad} of its events ${bad === 1 ? "is" : "are"} cut off or damaged and left out`);
  return events;
}

async function audioOf(
  content: Members["content"],
  hasRest: boolean,
  decode: DecodeFlac,
  lacks: string[],
): Promise<Float32Array> {
  const flac = content.get("audio.flac");
  if (flac) {
    try {
      const decoded = await decode(flac);
      const { samples, exact } = joined(decoded, content.get("audio.rest") ?? new Uint8Array(0));
      if (hasRest && exact < samples.length) {
        const seconds = (exact / 16_000).toFixed(1);
        lacks.push(`after ${seconds} s its audio is rounded to 24 bits, so that a replay may differ`);
      }
      return samples;
    } catch (error) {
      lacks.push(`its audio cannot be read (${error instanceof Error ? error.message : String(error)})`);
      return new Float32Array(0);
    }
  }
  const sun = content.get("audio.au");
  const samples = sun && readSun(sun);
  if (sun && !samples) lacks.push("its audio does not begin with the header of 16 kHz float32 audio");
  return samples ?? new Float32Array(0);
}

/** Write a recording. `chunks` are the samples from the chunk `header.first_chunk` on. */
export function writeRecording(
  header: Header,
  lines: Iterable<Uint8Array>,
  chunks: AsyncIterable<Float32Array>,
  hasAudio: boolean,
): Promise<Blob> {
  const text = new TextEncoder();
  const members: Member[] = [
    { name: "mimetype", deflated: false, parts: [text.encode(MIME)] },
    { name: "header.json", deflated: true, parts: [text.encode(headerText(header))] },
    { name: "events.jsonl", deflated: true, parts: lines },
  ];
  if (hasAudio) members.push({ name: "audio.au", deflated: true, parts: sunParts(chunks) });
  return writeArchive(members, MIME);
}

async function* sunParts(chunks: AsyncIterable<Float32Array>): AsyncGenerator<Uint8Array> {
  yield sunHeader();
  for await (const chunk of chunks) yield sunBytes(chunk);
}

/** Return the samples of a chunk of a recording; null if it has none. */
export function chunkOf({ header, audio }: Recording, chunk: number): Float32Array | null {
  const at = (chunk - header.first_chunk) * CHUNK_SAMPLES;
  return at >= 0 && at + CHUNK_SAMPLES <= audio.length ? audio.subarray(at, at + CHUNK_SAMPLES) : null;
}
