/**
 * Loop around one session of the engine: audio waits in a queue, and each event is handed on when its phase was granted.
 * A session has one loop; another session has another one.
 */
import { batch } from "@preact/signals";
import type { PendingNotice } from "../engine/admission";
import type { EngineSession, Origin } from "../engine/engine";
import { CHUNK_SECONDS, type SessionEvent } from "../record/events";
import type { Store } from "../store/store";
import { Gate } from "./gate";

/** Longest time that events are collected before the page shows them, in milliseconds: two frames of a screen. */
const SHOW_MS = 30;

export interface LoopListener {
  /** Take new events, in order. */
  events(events: readonly SessionEvent[]): void;
  /** Note that a block of a microphone was heard. */
  heard(stream: number, seq: number): void;
  /** Note that the loop's mode or phase, or the number of waiting chunks, changed. */
  moved(): void;
  /** Note that audio could not be heard: what the engine threw. */
  failed(error: unknown): void;
}

type Work =
  | { kind: "audio"; samples: Float32Array; rate: number; origin: Partial<Origin> }
  | { kind: "finish"; tail_s: number }
  | { kind: "note"; notice: PendingNotice };

export class EngineLoop {
  readonly gate: Gate;
  readonly #queue: { work: Work; done: () => void }[] = [];
  #queued_s = 0;
  #running = false;
  #closed = false;
  #fresh: SessionEvent[] = [];
  #shown = 0;
  /** Whether a chunk is perceived and waits to be shown. */
  #held = false;

  constructor(
    readonly session: EngineSession,
    private readonly listener: LoopListener,
  ) {
    this.gate = new Gate(
      () => listener.moved(),
      () => this.#show(),
    );
  }

  /** Number of chunks whose audio has arrived and that are not decided yet. */
  get waiting(): number {
    return Math.floor(this.#queued_s / CHUNK_SECONDS + 1e-6) + (this.#held ? 1 : 0);
  }

  /** Queue audio; resolves when it was heard. */
  push(samples: Float32Array, rate: number, origin: Partial<Origin> = {}): Promise<void> {
    return this.#put({ kind: "audio", samples, rate, origin });
  }

  /** End the recording after the queued audio, and append silence; resolves when it was heard. */
  finish(tail_s: number): Promise<void> {
    return this.#put({ kind: "finish", tail_s });
  }

  /** Record a notice at its place in the queued audio. */
  note(notice: PendingNotice): Promise<void> {
    return this.#put({ kind: "note", notice });
  }

  /** End the loop and its session; queued audio is dropped. */
  async close(): Promise<void> {
    this.#closed = true;
    this.gate.close();
    for (const { done } of this.#queue.splice(0)) done();
    this.#queued_s = 0;
    await this.session.close();
  }

  #put(work: Work): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((done) => {
      this.#queue.push({ work, done });
      this.#queued_s += secondsOf(work);
      if (!this.#running) void this.#run();
      this.listener.moved();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let next = this.#queue[0]; next && !this.#closed; next = this.#queue[0]) {
      const { work, done } = next;
      try {
        for await (const event of this.#begin(work)) if (!(await this.#pass(event))) break;
      } catch (error) {
        if (!this.#closed) this.listener.failed(error);
      }
      if (this.#closed) break;
      this.#queue.shift();
      this.#queued_s = Math.max(0, this.#queued_s - secondsOf(work));
      this.#show();
      if (work.kind === "audio" && work.origin.microphone) {
        this.listener.heard(work.origin.stream ?? 0, work.origin.seq ?? -1);
      }
      done();
    }
    this.#running = false;
  }

  #begin(work: Work): AsyncIterableIterator<SessionEvent> {
    const { session } = this;
    if (work.kind === "finish") return session.finish(work.tail_s);
    if (work.kind === "note") return session.note(work.notice);
    return session.push(work.samples, work.rate, work.origin);
  }

  /** Hand an event on when its phase is granted, and wait for the next phase. Returns false if the loop was closed. */
  async #pass(event: SessionEvent): Promise<boolean> {
    const { gate } = this;
    if (event.type === "chunk") {
      // The phase has run when its first event comes: it is held back until it is granted.
      this.#held = true;
      if (gate.mode !== "run") this.listener.moved();
      const granted = await gate.enter("perceive", event.chunk);
      this.#held = false;
      if (!granted) return false;
    }
    this.#fresh.push(event);
    if (performance.now() - this.#shown >= SHOW_MS) this.#show();
    const next = nextPhase(event);
    return !this.#closed && (next === null || (await gate.enter(next, event.chunk)));
  }

  #show(): void {
    this.#shown = performance.now();
    const events = this.#fresh;
    this.#fresh = [];
    if (events.length > 0 && !this.#closed) this.listener.events(events);
    this.listener.moved();
  }
}

/** Return the phase that follows an event; null if the phase goes on. */
function nextPhase(event: SessionEvent): "decide" | "respond" | null {
  if (event.type === "chunk") return event.flags.includes("unheard") ? null : "decide";
  return event.type === "decision" && event.choice === "TEXT_BEGIN" ? "respond" : null;
}

function secondsOf(work: Work): number {
  return work.kind === "audio" ? work.samples.length / work.rate : 0;
}

/** Show a loop's mode, phase and waiting chunks. */
export function showLoop(store: Store, { gate, waiting }: EngineLoop): void {
  const { mode, phase, chunk } = gate;
  batch(() => {
    store.kernelWaiting.value = waiting;
    const { value } = store.loop;
    const same = value.mode === mode && value.phase === phase && value.chunk === chunk;
    // In the mode `run` phases change faster than a page could show.
    if (mode !== "run" ? !(same && value.waiting === waiting) : value.mode !== mode) {
      store.loop.value = { mode, phase: mode === "run" ? "" : phase, chunk, waiting };
    }
  });
}
