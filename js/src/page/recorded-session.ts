/** A recording that the page's engine hears again, so that branches can be forked from it. */
import type { Engine, EngineSession, ForkChange } from "../engine/engine";
import { SessionError } from "../engine/errors";
import { MOST_KEPT } from "../engine/loop-state";
import { pastOf } from "../engine/past";
import { differsAt } from "./recorded-difference";
import type { Recording } from "./recording-file";

/** Chunks between two sentences on the progress: two seconds of sound. */
const TOLD_CHUNKS = 5;

/** What asks for a fork: whether it is still wanted, and what it is told meanwhile. */
export interface Asking {
  wanted(): boolean;
  told(sentence: string): void;
}

/** What branches are forked from: the session, or a recording. */
export interface Original {
  readonly chunks: number;
  /** Return the fork, and a sentence to add to it; null if it is no longer wanted. */
  fork(change: ForkChange, asking: Asking): Promise<{ session: EngineSession; message: string } | null>;
}

/** Return what is shown: a recording (null if it cannot be forked, undefined if there is none), or the session. */
export function shown(
  recorded: Original | null | undefined,
  session: EngineSession | undefined,
): Original | null {
  if (recorded !== undefined || !session) return recorded ?? null;
  return {
    get chunks() {
      return session.chunks;
    },
    fork: async (change) => ({ session: await session.fork(change), message: "" }),
  };
}

/** Return why a recording cannot be run on with an engine, as a sentence; null if it can. */
export function refusalOf(engine: Engine | null, recording: Recording): string | null {
  if (!engine) return "It can be run on as soon as the model is loaded.";
  const { model } = recording.header;
  if (model.fingerprint !== engine.manifest.model?.fingerprint || model.fingerprint === undefined) {
    const name = typeof model.name === "string" && model.name ? model.name : "another model";
    return `It was recorded with ${name}, not with the weights of this page, so it cannot be run on here.`;
  }
  try {
    pastOf(recordedOf(recording));
  } catch (error) {
    if (error instanceof SessionError) return error.message;
    throw error;
  }
  return null;
}

function recordedOf({ header, events, audio }: Recording) {
  const { settings, sessions, first_chunk: firstChunk } = header;
  return { settings, sessions, events, samples: audio, firstChunk };
}

/** The recording's session, which is heard again as far as the forks need it. One fork is made at a time. */
export class RecordedSession implements Original {
  readonly chunks: number;
  #heard: EngineSession | null = null;
  #closed = false;

  constructor(
    private readonly engine: Engine,
    private readonly recording: Recording,
  ) {
    this.chunks = recording.events.filter(({ type }) => type === "chunk").length;
  }

  async fork(
    change: ForkChange,
    asking: Asking,
  ): Promise<{ session: EngineSession; message: string } | null> {
    const { chunk } = change;
    const heard = await this.#open(chunk);
    if (!(await this.#hear(heard, chunk, asking))) return null;
    const session = await heard.fork(change);
    const before = heard.record.filter((event) => event.chunk < chunk);
    const differs = differsAt(this.recording.events, before);
    if (differs === null) return { session, message: "" };
    const message = `the page decides chunk ${differs} otherwise than the recording, before this branch begins`;
    return { session, message };
  }

  /** End the session; a fork in progress is no longer wanted. */
  close(): void {
    this.#closed = true;
    void this.#end();
  }

  /** Return the session; another one, from the recording's begin on, if a chunk is out of its reach. */
  async #open(chunk: number): Promise<EngineSession> {
    if (this.#heard && this.#heard.chunks - chunk > MOST_KEPT) await this.#end();
    this.#heard ??= this.engine.rerun(recordedOf(this.recording));
    return this.#heard;
  }

  /** Hear the recording up to a chunk; return false if that is no longer wanted. */
  async #hear(heard: EngineSession, chunk: number, { wanted, told }: Asking): Promise<boolean> {
    if (heard.chunks >= chunk) return wanted();
    for await (const event of heard.runOn()) {
      if (this.#closed || !wanted()) return false;
      // The fork completes the chunk before it.
      if (heard.chunks >= chunk) break;
      if (event.type === "chunk" && event.chunk % TOLD_CHUNKS === 0) {
        told(`the recording is heard again: chunk ${event.chunk} of ${chunk}`);
      }
    }
    told("");
    return wanted();
  }

  async #end(): Promise<void> {
    const heard = this.#heard;
    this.#heard = null;
    await heard?.close().catch(() => {
      // The engine is gone, and the session with it.
    });
  }
}
