/** The connection to the kernel: handshake, pull mode, base64 fallback, and detection of a lost kernel. */
import type { SessionId } from "../store/store";
import { type BrowserMessage, HANDSHAKE, type KernelMessage, PROTOCOL_VERSION } from "./messages";
import { type Buffers, base64, floatBytes } from "./payload";
import { readKernelMessage } from "./reading";

/** What this needs of anywidget's model. */
export interface KernelModel {
  get(name: string): unknown;
  on(name: string, callback: (...values: never[]) => void): void;
  off(name: string, callback: (...values: never[]) => void): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
}

export interface LinkListener {
  /** Events already held, and of which session: the next hello asks for those that follow. */
  seen(): number;
  session(): SessionId | null;
  /** Whether something is under way that the kernel may have news of. */
  busy(): boolean;
  receive(message: KernelMessage, buffers: Buffers): void;
  /** No answer to a hello yet: the kernel is busy, or gone. */
  waiting(): void;
  /** Sending failed or the channel was closed. Nothing sent from now on arrives. */
  lost(): void;
  /** The queue for the first welcome is full; audio recorded from now on would be dropped. */
  overfull(): void;
}

const HELLO_RETRY_MS = [1500, 3000, 6000, 10_000];
const POLL_MS = 250;
/** Messages kept until the kernel says how it wants them: about five minutes of blocks. */
const MOST_HELD = 3000;

/** What travels with a message: samples of a block, or bytes of a file. */
export type Payload = Float32Array | ArrayBuffer;

export class KernelLink {
  #welcomed = false;
  #binary = true;
  #lost = false;
  #ended = false;
  #hellos = 0;
  #helloAt = 0;
  /** Names this page to the kernel, which answers several and takes audio of one at a time. */
  readonly page = randomName();
  #retry: ReturnType<typeof setTimeout> | undefined;
  #poll: ReturnType<typeof setInterval> | undefined;
  #held: { message: BrowserMessage; payload: Payload | undefined }[] = [];

  constructor(
    private readonly model: KernelModel,
    private readonly listener: LinkListener,
  ) {}

  get lost(): boolean {
    return this.#lost;
  }

  /** Where the kernel's `welcome` has not come yet. */
  get unanswered(): boolean {
    return this.#retry !== undefined;
  }

  /** When the newest hello left, in Unix ms. */
  get helloAt(): number {
    return this.#helloAt;
  }

  start(): void {
    this.model.on("msg:custom", this.#onMessage);
    // A closed comm or a host that disconnects the model: no later send would throw, so these must be believed.
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

  /** Asks for everything not seen yet, and again while no answer comes. */
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

  /** Sends a message, or keeps it until the kernel's first welcome. Dropped once the kernel is lost. */
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
      // It lives after all (a line that was cut and mended): ask what was missed.
      this.#lost = false;
      if (message.type !== "welcome") this.hello();
    }
    if (message.type === "welcome" && this.#answers(message.page))
      this.#welcome(message.binary, message.pull);
    this.listener.receive(message, buffers);
  };

  /** Whether a message with this `page` means us: all pages hear what the kernel says to one. */
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
      this.#poll = setInterval(() => {
        if (this.listener.busy()) this.send({ type: "poll" });
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

function randomName(): string {
  // `randomUUID` exists on secure pages only; this one may be any.
  const words = crypto.getRandomValues(new Uint32Array(2));
  return Array.from(words, (word) => word.toString(36)).join("");
}
