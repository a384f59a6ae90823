/**
 * One session of the page on its way to the kernel: what the kernel has taken, what was sent since, and what comes next.
 * The cursors count events, and chunks whose sound was sent; nothing is copied, since the page keeps both anyway.
 */
import type { BrowserMessage, KernelMessage } from "../channel/messages";
import { MAX_ENGINE_BYTES, MAX_ENGINE_EVENTS, MAX_UNDER_WAY } from "../channel/messages";
import type { FollowedSession } from "../page/follower";
import { linesOf } from "../page/kept-events";
import type { SessionEvent } from "../record/events";

export type Taken = Extract<KernelMessage, { type: "engine_taken" }>;
type EventsMessage = Extract<BrowserMessage, { type: "engine_events" }>;

/** Number of events, and of chunks whose sound was sent. */
interface Cursor {
  readonly events: number;
  readonly chunks: number;
}

const START: Cursor = { events: 0, chunks: 0 };
/** Bytes of JSON from which on a message takes no further event; one event is far smaller than the other half. */
const FULL_BYTES = MAX_ENGINE_BYTES / 2;

export class Outbound {
  /** Index of the `chunk` event of each chunk: its sound follows that event. */
  readonly #chunkAt: number[] = [];
  #count = 0;
  #taken = START;
  #sent = START;
  /** What each message under way completes. */
  #underWay: Cursor[] = [];
  #reported = "";
  /** Whether the kernel has this session. */
  begun = false;

  constructor(readonly session: FollowedSession) {}

  /** Number of chunks of the session. */
  get chunks(): number {
    return this.#chunkAt.length;
  }

  /** Number of chunks that the kernel has, with their sound if there is any. */
  get chunksTaken(): number {
    return this.#taken.chunks;
  }

  /** Whether the session has anything to deliver. */
  get empty(): boolean {
    return this.#count === 0;
  }

  /** Whether the kernel has everything. */
  get complete(): boolean {
    return this.#taken.events >= this.#count && this.#taken.chunks >= this.chunks;
  }

  get underWay(): number {
    return this.#underWay.length;
  }

  added(events: readonly SessionEvent[]): void {
    for (const { type } of events) {
      if (type === "chunk") this.#chunkAt.push(this.#count);
      this.#count += 1;
    }
  }

  /** Return what is sent next; null if nothing is left, or enough is under way. */
  next(): "sound" | "events" | "state" | null {
    const { events, chunks } = this.#sent;
    if (this.#underWay.length >= MAX_UNDER_WAY) return null;
    if ((this.#chunkAt[chunks] ?? Number.POSITIVE_INFINITY) < events) return "sound";
    if (events < this.#count) return "events";
    return this.#stateNow() === this.#reported ? null : "state";
  }

  /** The chunk whose sound is sent next. */
  get nextChunk(): number {
    return this.#sent.chunks;
  }

  /** Return the next events, as many as one message takes, with the state of the loop. */
  events(page: string): EventsMessage {
    const first = this.#sent.events;
    const events: SessionEvent[] = [];
    let bytes = 0;
    for (const event of this.session.kept.events(first)) {
      if (events.length >= MAX_ENGINE_EVENTS || bytes >= FULL_BYTES || first + events.length >= this.#count)
        break;
      events.push(event);
      bytes += linesOf([event]).length;
    }
    this.#sent = { ...this.#sent, events: first + events.length };
    this.#underWay.push({ events: this.#sent.events, chunks: 0 });
    this.#reported = this.#stateNow();
    const { number, gate } = this.session;
    const { mode, phase, chunk } = gate;
    const state = { mode, phase, chunk, waiting: this.session.waiting() };
    // The generated type allows any table, as the kernel checks each event itself.
    const plain = events as unknown as EventsMessage["events"];
    return { type: "engine_events", page, session: number, first, ...state, events: plain };
  }

  /** Count the sound of the next chunk as sent. */
  soundSent(): void {
    const chunks = this.#sent.chunks + 1;
    this.#sent = { ...this.#sent, chunks };
    this.#underWay.push({ events: 0, chunks });
  }

  /** Take the kernel's cursors; return whether it has more than before. */
  take({ events, chunks, begun }: Taken): boolean {
    const before = this.#taken;
    this.#taken = {
      events: Math.min(Math.max(0, events), this.#count),
      chunks: Math.min(Math.max(0, chunks), this.chunks),
    };
    this.begun = begun;
    this.#underWay = this.#underWay.filter(
      (end) => end.events > this.#taken.events || end.chunks > this.#taken.chunks,
    );
    // A resumed session may be further than what this page sent since.
    this.#sent = {
      events: Math.max(this.#sent.events, this.#taken.events),
      chunks: Math.max(this.#sent.chunks, this.#taken.chunks),
    };
    return this.#taken.events > before.events || this.#taken.chunks > before.chunks;
  }

  /** Send again from what the kernel has taken. */
  rewind(): void {
    this.#sent = this.#taken;
    this.#underWay = [];
  }

  /** Return the state of the loop as one word; in the mode `run` phases are not reported. */
  #stateNow(): string {
    const { mode, phase, chunk } = this.session.gate;
    return mode === "run" ? "" : `${mode} ${phase} ${chunk}`;
  }
}
