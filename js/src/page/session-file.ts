/** The session of the page as the file of a recording. */
import type { EngineSession } from "../engine/engine";
import type { Values } from "../store/settings";
import type { KeptEvents } from "./kept-events";
import { writeRecording } from "./recording-file";
import { type Header, NO_HEADER } from "./recording-header";

/** Write a session with the audio that the engine keeps of it. */
export async function writeSession(
  session: EngineSession,
  kept: KeptEvents,
  about: { created: string; live: Values },
): Promise<Blob> {
  const end = session.chunks;
  const first = await firstKept(session, end);
  const { model, settings, framing, versions } = session.heading;
  const header: Header = {
    ...NO_HEADER,
    ...about,
    ...{ model, framing, versions },
    settings: { ...settings },
    sessions: 1,
    reduced: [0, kept.reduced],
    first_chunk: first < end ? first : 0,
  };
  return writeRecording(header, kept.lines(), chunks(session, first, end), first < end);
}

/** Return the oldest chunk whose audio is kept; `end` if there is none. */
async function firstKept(session: EngineSession, end: number): Promise<number> {
  let [low, high] = [0, end];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (await session.audio(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

async function* chunks(session: EngineSession, first: number, end: number): AsyncGenerator<Float32Array> {
  for (let chunk = first; chunk < end; chunk++) {
    const samples = await session.audio(chunk);
    // Discarded while the file is written: silence keeps the place of the others.
    yield samples ?? new Float32Array(6400);
  }
}
