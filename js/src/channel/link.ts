/** Connection to the kernel: handshake, pull mode, base64 fallback, and detection of a lost kernel. */
import type { SessionId } from "../store/store";
import { type BrowserMessage, HANDSHAKE, type KernelMessage, PROTOCOL_VERSION } from "./messages";
import { type Buffers, base64, floatBytes } from "./payload";
import { readKernelMessage } from "./reading";

/** Part of anywidget's model that the connection uses. */
export interface KernelModel {
  get(name: string): unknown;
  on(name: string, callback: (...values: never[]) => void): void;
  off(name: string, callback: (...values: never[]) => void): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
}

export interface LinkListener {
  /** Return the number of stored events: the next hello asks for those that follow. */
  seen(): number;
  session(): SessionId | null;
  /** Return whether the kernel may have news, so that pull mode polls. */
  busy(): boolean;
  receive(message: KernelMessage, buffers: Buffers): void;
  /** Report that a hello has no answer yet: the kernel is busy or gone. */
  waiting(): void;
  /** Report that sending failed or the channel was closed. Messages sent from now on do not arrive. */
  lost(): void;
  /** Report that the queue for the first welcome is full. */
  overfull(): void;
}

/** Delays before the hello is repeated, in milliseconds; the last one is repeated. */
const HELLO_RETRY_MS = [1500, 3000, 6000, 10_000];
/** Interval of polls in pull mode, in milliseconds: a decision every 400 ms is shown without much delay. */
const POLL_MS = 250;
/** Ratio of all ticks to those that also poll while the page expects nothing, every 2 s: a cell may have begun something. */
const IDLE_POLLS = 8;
/** Largest number of messages queued before the welcome: about five minutes of blocks. */
const MOST_HELD = 3000;

/** Binary part of a message: samples of a block, or bytes of a file. */
export type Payload = Float32Array | ArrayBuffer;

export class KernelLink {
  #welcomed = false;
  #binary = true;
  #lost = false;
  #ended = false;
  #hellos = 0;
  #helloAt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #poll: ReturnType<typeof setInterval> | undefined;
  #held: { message: BrowserMessage; payload: Payload | undefined }[] = [];

  constructor(
    private readonly model: KernelModel,
    /** Name of this page: the kernel answers several pages, and accepts audio of one at a time. */
    readonly page: string,
    private readonly listener: LinkListener,
  ) {}

  get lost(): boolean {
    return this.#lost;
  }

  /** Whether the kernel's `welcome` is still awaited. */
  get unanswered(): boolean {
    return this.#retry !== undefined;
  }

  /** Time of the newest hello, in Unix ms. */
  get helloAt(): number {
    return this.#helloAt;
  }

  start(): void {
    this.model.on("msg:custom", this.#onMessage);
    // After the comm was closed or the host disconnected the model, sending would not throw: only these events
    // tell.
    this.model.on("comm:close", this.#onClosed);
    this.model.on("comm_live_update", this.#onClosed);
    this.model.on("destroy", this.#onClosed);
    this.hello();
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#retry);
    clearInterval(this.#poll);
    this.#held = [];
    this.model.off("msg:custom", this.#onMessage);
    this.model.off("comm:close", this.#onClosed);
    this.model.off("comm_live_update", this.#onClosed);
    this.model.off("destroy", this.#onClosed);
  }

  /** Request all events that this page lacks, again until an answer arrives. */
  hello(): void {
    if (this.#ended) return;
    clearTimeout(this.#retry);
    const delay = HELLO_RETRY_MS[Math.min(this.#hellos, HELLO_RETRY_MS.length - 1)] as number;
    this.#hellos += 1;
    this.#retry = setTimeout(() => {
      this.listener.waiting();
      this.hello();
    }, delay);
    const { page, listener } = this;
    this.#helloAt = Date.now();
    this.#transmit(
      { type: "hello", protocol: PROTOCOL_VERSION, seen: listener.seen(), page, session: listener.session() },
      [new Uint8Array(HANDSHAKE).buffer],
    );
  }

  /** Send a message, or queue it until the kernel's first welcome. Dropped once the kernel is lost. */
  send(message: BrowserMessage, payload?: Payload): void {
    if (this.#lost || this.#ended) return;
    if (this.#welcomed) {
      this.#encode(message, payload);
      return;
    }
    this.#held.push({ message, payload });
    if (this.#held.length > MOST_HELD) this.listener.overfull();
  }

  #encode(message: BrowserMessage, payload: Payload | undefined): void {
    if (!payload) {
      this.#transmit(message);
      return;
    }
    const bytes = payload instanceof ArrayBuffer ? payload : floatBytes(payload);
    if (this.#binary) this.#transmit(message, [bytes]);
    else this.#transmit({ ...message, data: base64(bytes) } as BrowserMessage);
  }

  #transmit(message: BrowserMessage, buffers?: ArrayBuffer[]): void {
    try {
      this.model.send(message, undefined, buffers);
    } catch {
      this.#onClosed();
    }
  }

  readonly #onMessage = (content: unknown, buffers: Buffers = []): void => {
    const message = readKernelMessage(content);
    if (!message || this.#ended) return;
    if (this.#lost) {
      // The kernel answers again, after a broken connection was restored: request the missed events.
      this.#lost = false;
      if (message.type !== "welcome") this.hello();
    }
    if (message.type === "welcome" && this.#answers(message.page))
      this.#welcome(message.binary, message.pull);
    this.listener.receive(message, buffers);
  };

  /** Return whether a message with this `page` is for this page: all pages receive the answers to one. */
  #answers(page: string | undefined): boolean {
    return !page || page === this.page;
  }

  #welcome(binary: boolean, pull: boolean): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#hellos = 0;
    this.#welcomed = true;
    this.#binary = binary;
    clearInterval(this.#poll);
    if (pull) {
      let idle = 0;
      this.#poll = setInterval(() => {
        idle = this.listener.busy() ? 0 : (idle + 1) % IDLE_POLLS;
        if (idle === 0) this.send({ type: "poll" });
      }, POLL_MS);
    }
    const held = this.#held;
    this.#held = [];
    for (const { message, payload } of held) this.send(message, payload);
  }

  readonly #onClosed = (): void => {
    if (this.#lost || this.#ended) return;
    this.#lost = true;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    clearInterval(this.#poll);
    this.#held = [];
    this.listener.lost();
  };
}

/** Return a new name for a page. */
export function pageName(): string {
  // `randomUUID` exists on secure pages only.
  const words = crypto.getRandomValues(new Uint32Array(2));
  return Array.from(words, (word) => word.toString(36)).join("");
}
