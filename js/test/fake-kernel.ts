/** A kernel that takes a page's sessions by the rules of `widget/page_engine/`, when it is not busy. */
import type { BrowserMessage, KernelMessage } from "../src/channel/messages";
import { Mirror, type MirrorOptions } from "../src/mirror/mirror";
import { Gate } from "../src/page/gate";
import { KeptEvents } from "../src/page/kept-events";
import type { SessionEvent } from "../src/record/events";
import { chunk, decision } from "./fakes";

type Taken = Extract<KernelMessage, { type: "engine_taken" }>;
type Message = Extract<BrowserMessage, { type: "engine_begin" | "engine_events" | "engine_chunk" }>;

export class FakeKernel {
  /** Messages that have arrived and are not handled: a busy kernel leaves them. */
  inbox: { message: Message; payload: Float32Array | undefined }[] = [];
  begun: { session: number; settings: unknown } | null = null;
  events: unknown[] = [];
  sounds: (Float32Array | null)[] = [];
  /** Largest number of messages in the inbox so far. */
  most = 0;
  /** Messages that are lost on their way, by their number. */
  lost = new Set<number>();
  /** Answers that are lost, by their number. */
  deaf = new Set<number>();
  problem = "";
  refused = false;
  /** Sessions that were complete when the next one began. */
  before: unknown[][] = [];
  #sent = 0;
  #answers = 0;

  constructor(private readonly answer: (message: Taken) => void = () => {}) {}

  receive(message: BrowserMessage, payload?: Float32Array): void {
    if (!this.lost.has(this.#sent)) this.inbox.push({ message: message as Message, payload });
    this.#sent += 1;
    this.most = Math.max(this.most, this.inbox.length);
  }

  /** Handle one message; return whether there was one. */
  work(answer = this.answer): boolean {
    const next = this.inbox.shift();
    if (!next) return false;
    const taken = this.#take(next.message, next.payload);
    if (!this.deaf.has(this.#answers)) answer(taken);
    this.#answers += 1;
    return true;
  }

  restart(): void {
    this.inbox = [];
    this.begun = null;
    this.events = [];
    this.sounds = [];
  }

  get chunks(): number {
    return this.events.filter((event) => (event as SessionEvent).type === "chunk").length;
  }

  #take(message: Message, payload: Float32Array | undefined): Taken {
    if (message.type === "engine_begin" && this.begun?.session !== message.session) {
      if (this.begun) this.before.push(this.events);
      const inbox = this.inbox;
      this.restart();
      this.inbox = inbox;
      this.begun = { session: message.session, settings: message.settings };
    }
    const mine = this.begun?.session === message.session;
    if (mine && !this.problem) {
      if (message.type === "engine_events" && message.first <= this.events.length) {
        this.events.push(...message.events.slice(this.events.length - message.first));
      } else if (
        message.type === "engine_chunk" &&
        message.chunk === this.sounds.length &&
        message.chunk < this.chunks
      ) {
        this.sounds.push(message.missing ? null : (payload ?? null));
      }
    }
    const { page, session } = message;
    const has = { events: mine ? this.events.length : 0, chunks: mine ? this.sounds.length : 0 };
    const { problem, refused } = this;
    return { type: "engine_taken", page, session, begun: mine, ...has, problem, refused };
  }
}

/** A session of a page whose engine hears nothing: the test adds its chunks. */
export class HeardSession {
  readonly kept = new KeptEvents(7);
  readonly gate = new Gate(
    () => {},
    () => {},
  );
  readonly settings = { greedy: true };
  readonly runtime = "onnxruntime-web 1.30.0";
  sounds: (Float32Array | null)[] = [];
  closed = false;

  constructor(
    readonly number: number,
    private readonly mirror: Mirror,
  ) {
    mirror.began(this);
  }

  waiting(): number {
    return 0;
  }

  async audio(at: number): Promise<Float32Array | null> {
    if (this.closed) throw new Error("This session is closed.");
    return this.sounds[at] ?? null;
  }

  hear(count = 1): void {
    for (let i = 0; i < count; i++) {
      const at = this.sounds.length;
      this.sounds.push(new Float32Array(6400).fill(at + 1));
      const events = [chunk(at), decision(at)].flatMap((event) => this.kept.add(event));
      this.mirror.added(events);
    }
  }

  get all(): SessionEvent[] {
    return [...this.kept.events()];
  }
}

export function mirrored(more: Partial<MirrorOptions> = {}) {
  const said: string[] = [];
  const kernel = new FakeKernel((message) => mirror.taken(message));
  const mirror: Mirror = new Mirror({
    page: "p",
    post: (message, payload) => kernel.receive(message, payload),
    live: () => ({ arrival: "keep" }),
    refused: (sentence) => said.push(sentence),
    discarded: () => said.push("discarded"),
    ...more,
  });
  return { kernel, mirror, said };
}
