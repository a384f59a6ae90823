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

/** Message under way: what the kernel has at least when it answers. */
interface UnderWay extends Cursor {
  readonly begins: boolean;
  /** Whether what it holds was sent again since, so that its answer says nothing. */
  stale: boolean;
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
  /** Messages without an answer, in order: the kernel answers each of them once, in this order. */
  #underWay: UnderWay[] = [];
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

  /** Whether the kernel has everything. */
  get complete(): boolean {
    return this.#taken.events >= this.#count && this.#taken.chunks >= this.chunks;
  }

  /** Number of messages under way. */
  get underWay(): number {
    return this.#underWay.length;
  }

  /** Whether `engine_begin` is under way: until its answer it is unknown what the kernel has. */
  get asked(): boolean {
    return this.#underWay.some(({ begins }) => begins);
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
    this.#send({ events: this.#sent.events, chunks: 0 });
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
    this.#send({ events: 0, chunks });
  }

  /** Count an `engine_begin` as sent. */
  beginSent(): void {
    this.#send(START, true);
  }

  /**
   * Take an answer.
   *
   * @returns `more` if the kernel has more than before; `lost` if it lacks what it answers to, or answers to
   * `engine_begin`: then everything behind its cursors is sent again.
   */
  take({ events, chunks, begun }: Taken): { more: boolean; lost: boolean } {
    const before = this.#taken;
    this.#taken = {
      events: Math.min(Math.max(0, events), this.#count),
      chunks: Math.min(Math.max(0, chunks), this.chunks),
    };
    this.begun = begun;
    const answered = this.#underWay.shift();
    const taken = this.#taken;
    const lacks = answered && (answered.events > taken.events || answered.chunks > taken.chunks);
    // A session that is continued may be further than what was sent since.
    this.#sent = {
      events: Math.max(this.#sent.events, taken.events),
      chunks: Math.max(this.#sent.chunks, taken.chunks),
    };
    const more = taken.events > before.events || taken.chunks > before.chunks;
    return { more, lost: answered !== undefined && (answered.begins || (!answered.stale && lacks === true)) };
  }

  /** Send again from what the kernel has taken; answers to what is under way are still awaited. */
  rewind(): void {
    this.#sent = this.#taken;
    for (const message of this.#underWay) message.stale = true;
  }

  /** Send again from what the kernel has taken: what is under way may be lost, with its answers. */
  forget(): void {
    this.#sent = this.#taken;
    this.#underWay = [];
  }

  #send(end: Cursor, begins = false): void {
    this.#underWay.push({ ...end, begins, stale: begins });
  }

  /** Return the state of the loop as one word; in the mode `run` phases are not reported. */
  #stateNow(): string {
    const { mode, phase, chunk } = this.session.gate;
    return mode === "run" ? "" : `${mode} ${phase} ${chunk}`;
  }
}
