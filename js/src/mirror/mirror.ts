/**
 * Delivery of the page's sessions to the kernel's record. The page decides on its own; the kernel takes events and sound
 * when it is free. A few messages are under way at a time; the rest stays where the page keeps it anyway.
 */
import { type Signal, signal } from "@preact/signals";
import type { BrowserMessage } from "../channel/messages";
import type { FollowedSession, Follower } from "../page/follower";
import type { SessionEvent } from "../record/events";
import type { Values } from "../store/settings";
import { Outbound, type Taken } from "./outbound";

/** Time that events are collected before a message is made of them, in milliseconds. */
const COLLECT_MS = 100;
/** Time without an answer after which the kernel is asked what it has, in milliseconds; doubled each time. */
export const PROBE_MS = 10_000;
/** Most doublings: from then on a kernel that is busy for hours gets one question in five minutes. */
const MOST_DOUBLINGS = 5;
/** Time before what the kernel refused is sent again, in milliseconds. */
export const RESEND_MS = 1000;
/** Number of refusals without progress after which delivery ends. */
const MOST_REFUSALS = 5;
/** Number of chunks from which on the kernel is said to be behind: two seconds of audio. */
export const MANY_BEHIND = 5;
/** Sessions that are kept for a kernel that does not take them. */
export const MOST_SESSIONS = 8;

/** What the views say about the kernel's record. */
export interface Delivery {
  /** `idle` before anything was heard. `elsewhere`: the kernel records another page. */
  readonly state: "idle" | "delivering" | "unconnected" | "elsewhere" | "refused";
  /** Chunks of the newest session, and how many of them the kernel has. */
  readonly chunks: number;
  readonly taken: number;
}

type StateMessage = Extract<BrowserMessage, { type: "state" }>;

export interface MirrorOptions {
  page: string;
  post(message: BrowserMessage, payload?: Float32Array): void;
  /** Return the live settings, which the kernel shows. */
  live(): Values;
  /** Report a sentence of the kernel, after which it takes no more of the session. */
  refused(sentence: string): void;
  /** Report that sessions are discarded, since the kernel took none of the last ones. */
  discarded(): void;
}

export class Mirror implements Follower {
  readonly delivery: Signal<Delivery> = signal({ state: "idle", chunks: 0, taken: 0 });
  /** Sessions that the kernel lacks, or lacks a part of, oldest first; the newest session is always the last. */
  #sessions: Outbound[] = [];
  #connected = false;
  /** Newest state of the microphone. */
  #microphone: StateMessage | null = null;
  /** Whether a session of this page has been delivered: only then an empty one takes its place. */
  #owner = false;
  #elsewhere = false;
  #refused = false;
  #refusals = 0;
  #probes = 0;
  #pumping = false;
  #again = false;
  #collect: ReturnType<typeof setTimeout> | undefined;
  #resend: ReturnType<typeof setTimeout> | undefined;
  #probe: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  constructor(private readonly options: MirrorOptions) {}

  /** Whether answers of the kernel are awaited. */
  get busy(): boolean {
    return this.#delivers && this.#sessions.some((session) => !session.complete || session.underWay > 0);
  }

  /** Whether leaving the page would lose what the kernel lacks, and a person cares to know. */
  get behind(): boolean {
    const { chunks, taken, state } = this.delivery.value;
    return (state === "delivering" || state === "unconnected") && chunks - taken >= MANY_BEHIND;
  }

  /** Whether the kernel records another page; the next session of this page takes over. */
  get elsewhere(): boolean {
    return this.#elsewhere;
  }

  /** Whether this page has a session of its own to deliver, or has delivered one. */
  get used(): boolean {
    return this.#owner || this.#sessions.some(({ chunks }) => chunks > 0);
  }

  began(session: FollowedSession): void {
    const left = this.#elsewhere || this.#refused ? [] : this.#sessions.filter(({ complete }) => !complete);
    if (left.length >= MOST_SESSIONS) {
      left.shift();
      this.options.discarded();
    }
    this.#elsewhere = this.#refused = false;
    const current = left[0];
    this.#sessions = [...left, new Outbound(session)];
    if (!current) this.#reset();
    this.#show();
    this.#soon();
  }

  added(events: readonly SessionEvent[]): void {
    this.#sessions.at(-1)?.added(events);
    this.#show();
    this.#soon();
  }

  moved(): void {
    if (this.#sessions.at(-1)?.next() === "state") this.#soon();
  }

  told(message: StateMessage): void {
    this.#microphone = message;
    // The kernel shows the state of the page that it records.
    if (this.#connected && !this.#elsewhere) this.options.post(message);
  }

  /** Begin to deliver, or begin again after the connection was broken: what was under way may be lost. */
  connected(): void {
    this.#connected = true;
    if (this.#microphone && !this.#elsewhere) this.options.post(this.#microphone);
    this.#reset();
    this.#show();
    this.#soon();
  }

  disconnected(): void {
    this.#connected = false;
    this.#reset();
    this.#show();
  }

  /** Begin the next session at once, also where the kernel's is of a page before this one. */
  claim(): void {
    this.#owner = true;
  }

  /** Deliver no more of these sessions: the kernel records another page. */
  takenOver(): void {
    this.#elsewhere = true;
    this.#owner = false;
    this.#reset();
    this.#show();
  }

  /** Take an acknowledgement. */
  taken(message: Taken): void {
    const session = this.#current;
    if (!this.#delivers) return;
    if (message.page !== this.options.page || message.session !== session?.session.number) return;
    this.#probes = 0;
    const { more, lost } = session.take(message);
    if (more) this.#refusals = 0;
    if (message.begun) this.#owner = true;
    if (message.refused) this.#refuse(message.problem);
    else if (message.problem || !message.begun) this.#sendAgain(session, message.problem);
    else if (lost) session.rewind();
    this.#finish(session);
    this.#show();
    this.#watch();
    void this.#pump();
  }

  end(): void {
    this.#ended = true;
    this.#reset();
    clearTimeout(this.#collect);
    this.#sessions = [];
  }

  /** The oldest session that is not complete. */
  get #current(): Outbound | undefined {
    return this.#sessions[0];
  }

  get #delivers(): boolean {
    return this.#connected && !this.#elsewhere && !this.#refused && !this.#ended;
  }

  /** Forget what was asked and is under way. */
  #reset(): void {
    this.#refusals = this.#probes = 0;
    clearTimeout(this.#resend);
    clearTimeout(this.#probe);
    this.#resend = this.#probe = undefined;
    if (!this.#current) return;
    this.#current.begun = false;
    this.#current.forget();
  }

  /** Go on with the next session when the kernel has all of one that has ended. */
  #finish(session: Outbound): void {
    if (!session.complete || this.#sessions.length < 2) return;
    this.#sessions.shift();
    this.#reset();
  }

  #refuse(sentence: string): void {
    this.#refused = true;
    this.#reset();
    this.options.refused(sentence);
  }

  /** Send again, a little later, what the kernel has not taken. */
  #sendAgain(session: Outbound, problem: string): void {
    if (this.#resend) return;
    this.#refusals += 1;
    if (this.#refusals > MOST_REFUSALS) {
      this.#refuse(problem || "The kernel does not keep this session.");
      return;
    }
    this.#resend = setTimeout(() => {
      this.#resend = undefined;
      session.rewind();
      void this.#pump();
    }, RESEND_MS);
  }

  #soon(): void {
    if (this.#delivers) this.#collect ??= setTimeout(() => this.#collected(), COLLECT_MS);
  }

  #collected(): void {
    this.#collect = undefined;
    void this.#pump();
  }

  /** Ask what the kernel has when it has not answered for long; a message or its answer may be lost. */
  #watch(): void {
    clearTimeout(this.#probe);
    this.#probe = undefined;
    if (!this.#delivers || !this.#current?.underWay) return;
    const wait = PROBE_MS * 2 ** Math.min(this.#probes, MOST_DOUBLINGS);
    this.#probe = setTimeout(() => {
      this.#probes += 1;
      this.#current?.forget();
      if (this.#current) this.#begin(this.#current);
    }, wait);
  }

  #begin(session: Outbound): void {
    session.beginSent();
    const { number, settings, runtime } = session.session;
    const { page, live } = this.options;
    this.options.post({ type: "engine_begin", page, session: number, settings, live: live(), runtime });
    this.#watch();
  }

  /** Send what may be sent now; one call at a time, since sound is fetched from the engine. */
  async #pump(): Promise<void> {
    this.#again = true;
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#again) {
      this.#again = false;
      while (await this.#sendNext());
    }
    this.#pumping = false;
  }

  /** Send one message; return whether another may follow. */
  async #sendNext(): Promise<boolean> {
    const session = this.#current;
    if (!session || !this.#delivers || session.asked || this.#resend) return false;
    // A page that only opens does not take the record of another page away.
    if (session.chunks === 0 && !this.#owner) return false;
    if (!session.begun) {
      this.#begin(session);
      return false;
    }
    const what = session.next();
    if (what === null) return false;
    const { page, post } = this.options;
    if (what === "sound") {
      const chunk = session.nextChunk;
      const samples = await soundOf(session.session, chunk);
      // Meanwhile the kernel may have asked for something else.
      if (session !== this.#current || !session.begun || session.asked || this.#resend || !this.#delivers)
        return true;
      if (session.next() !== "sound" || session.nextChunk !== chunk) return true;
      session.soundSent();
      const sent = { type: "engine_chunk", page, session: session.session.number, chunk } as const;
      if (samples) post({ ...sent, missing: false }, samples);
      else post({ ...sent, missing: true });
    } else post(session.events(page));
    if (!this.#probe) this.#watch();
    return true;
  }

  #show(): void {
    const newest = this.#sessions.at(-1);
    const chunks = newest?.chunks ?? 0;
    const taken = newest?.chunksTaken ?? 0;
    const state = this.#elsewhere
      ? "elsewhere"
      : this.#refused
        ? "refused"
        : !this.used
          ? "idle"
          : this.#connected
            ? "delivering"
            : "unconnected";
    const { value } = this.delivery;
    if (value.state !== state || value.chunks !== chunks || value.taken !== taken) {
      this.delivery.value = { state, chunks, taken };
    }
  }
}

/** Return the sound of a chunk; null if the page no longer keeps it, or its session was closed. */
async function soundOf(session: FollowedSession, chunk: number): Promise<Float32Array | null> {
  try {
    const samples = await session.audio(chunk);
    return samples?.length === 6400 ? samples : null;
  } catch (error) {
    // The engine of a closed session answers no more; the kernel records that the sound is missing.
    console.warn(error);
    return null;
  }
}
