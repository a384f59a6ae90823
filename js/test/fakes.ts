/** Stand-ins for the kernel, the microphone and the clock. */
import type { CaptureHost } from "../src/capture/host";
import type { Hindrance } from "../src/capture/problems";
import type { OnBlock, Tap } from "../src/capture/tap";
import type { KernelModel } from "../src/channel/link";
import type { Chunk, Decision, SessionEvent, Timing, Token, Turn } from "../src/record/events";

type Callback = (...values: never[]) => void;
type Sent = { type: string; [field: string]: unknown };

export class FakeModel implements KernelModel {
  sent: { content: Sent; buffers: ArrayBuffer[] | undefined }[] = [];
  traits: Record<string, unknown> = {};
  gone = false;
  #callbacks: [string, Callback][] = [];

  get(name: string): unknown {
    return this.traits[name];
  }

  on(name: string, callback: Callback): void {
    this.#callbacks.push([name, callback]);
  }

  off(name: string, callback: Callback): void {
    this.#callbacks = this.#callbacks.filter(([other, known]) => other !== name || known !== callback);
  }

  send(content: unknown, _callbacks?: unknown, buffers?: ArrayBuffer[]): void {
    if (this.gone) throw new Error("Cannot send");
    this.sent.push({ content: content as Sent, buffers });
  }

  emit(name: string, ...values: unknown[]): void {
    for (const [other, callback] of [...this.#callbacks]) {
      if (other === name) (callback as (...values: unknown[]) => void)(...values);
    }
  }

  /** The kernel says something. */
  say(content: object, buffers: unknown[] = []): void {
    this.emit("msg:custom", content, buffers);
  }

  /** The kernel syncs a trait. */
  sync(name: string, value: unknown): void {
    this.traits[name] = value;
    this.emit(`change:${name}`);
  }

  welcome(more: object = {}): void {
    this.say({ type: "welcome", protocol: 3, binary: true, pull: false, session: 1, ...more });
  }

  events(first: number, events: SessionEvent[], more: object = {}): void {
    this.say({ type: "events", session: 1, first, events, waiting: 0, ...more });
  }

  types(): string[] {
    return this.sent.map(({ content }) => content.type);
  }

  of(type: string): Sent[] {
    return this.sent.map(({ content }) => content).filter((content) => content.type === type);
  }

  listeners(): number {
    return this.#callbacks.length;
  }
}

export class FakeTrack extends EventTarget {
  readyState = "live";
  label = "Desk microphone";
  enabled = true;
  settings: MediaTrackSettings = { deviceId: "desk", sampleRate: 48_000, echoCancellation: false };
  /** Whether processing can be changed while the track is open. */
  adjustable = true;

  getSettings(): MediaTrackSettings {
    return this.settings;
  }

  async applyConstraints(constraints: MediaTrackConstraints): Promise<void> {
    if (!this.adjustable) throw new Error("OverconstrainedError");
    this.settings = { ...this.settings, echoCancellation: constraints.echoCancellation === true };
  }

  stop(): void {
    this.readyState = "ended";
  }

  /** Pulled out by a person. */
  unplug(): void {
    this.readyState = "ended";
    this.dispatchEvent(new Event("ended"));
  }
}

export class FakeContext {
  state = "running";
  sampleRate = 48_000;
  onstatechange: (() => void) | null = null;
  resumed = 0;

  createMediaStreamSource() {
    return {};
  }

  async resume(): Promise<void> {
    this.resumed += 1;
  }

  async suspend(): Promise<void> {
    this.become("suspended");
  }

  async close(): Promise<void> {
    this.state = "closed";
  }

  become(state: string): void {
    this.state = state;
    this.onstatechange?.();
  }
}

/** A microphone that is granted, speaks and breaks on command. */
export class FakeMicrophone {
  tracks: FakeTrack[] = [];
  contexts: FakeContext[] = [];
  constraints: MediaStreamConstraints | undefined;
  onBlock: OnBlock = () => {};
  /** Samples of the block that has begun; handed over on flush. */
  partial: Float32Array | null = null;
  secure = true;
  permission = "denied";
  tapFails = false;
  degraded = false;
  hindrance: Hindrance | null = null;
  /** What is plugged in, and who wants to know when that changes. */
  plugged = [{ kind: "audioinput", deviceId: "desk", label: "Desk microphone" }];
  readonly changes = new EventTarget();
  #answer: { resolve: (media: MediaStream) => void; reject: (error: unknown) => void } | null = null;

  readonly host: CaptureHost;

  constructor(private readonly autoGrant = true) {
    const microphone = this;
    this.host = {
      get secure() {
        return microphone.secure;
      },
      devices: {
        getUserMedia: (constraints) =>
          new Promise((resolve, reject) => {
            this.constraints = constraints;
            this.#answer = { resolve, reject };
            if (this.autoGrant) this.grant();
          }),
        enumerateDevices: async () => this.plugged as MediaDeviceInfo[],
        addEventListener: (name: string, listener: EventListenerOrEventListenerObject) =>
          this.changes.addEventListener(name, listener),
        removeEventListener: (name: string, listener: EventListenerOrEventListenerObject) =>
          this.changes.removeEventListener(name, listener),
      },
      createContext: () => {
        const context = new FakeContext();
        this.contexts.push(context);
        return context as unknown as AudioContext;
      },
      openTap: async (_context, onBlock) => {
        if (this.tapFails) throw new Error("no audio thread");
        this.onBlock = onBlock;
        return this.#tap(onBlock);
      },
      permission: async () => this.permission,
      hindrance: () => this.hindrance,
    };
  }

  #tap(onBlock: OnBlock): Tap {
    return {
      degraded: this.degraded,
      connect: () => {},
      flush: async () => {
        if (this.partial) onBlock({ samples: this.partial, time_s: this.nextTime, captured_ms: Date.now() });
        this.partial = null;
      },
      close: () => {},
    };
  }

  grant(): void {
    const track = new FakeTrack();
    const audio = this.constraints?.audio as MediaTrackConstraints | undefined;
    const { ideal } = (audio?.deviceId ?? {}) as { ideal?: string };
    const found = this.plugged.find(({ deviceId }) => deviceId === ideal) ?? this.plugged[0];
    track.label = found?.label ?? "";
    track.settings = { ...track.settings, deviceId: found?.deviceId ?? "" };
    if (audio?.echoCancellation === true) track.settings.echoCancellation = true;
    this.tracks.push(track);
    const tracks = () => [track];
    this.#answer?.resolve({ getTracks: tracks, getAudioTracks: tracks } as unknown as MediaStream);
  }

  refuse(name: string): void {
    const error = new Error("refused");
    error.name = name;
    this.#answer?.reject(error);
  }

  /** Audio-clock time of the next block: they follow each other. */
  nextTime = 0;

  hear(samples = new Float32Array(4800).fill(0.1), time_s = this.nextTime, captured_ms = Date.now()): void {
    this.nextTime = time_s + samples.length / 48_000;
    this.onBlock({ samples, time_s, captured_ms });
  }

  /** A device comes or goes. */
  plug(...devices: string[]): void {
    this.plugged = devices.map((id) => ({ kind: "audioinput", deviceId: id, label: `${id} microphone` }));
    this.changes.dispatchEvent(new Event("devicechange"));
  }

  live(): number {
    return this.tracks.filter((track) => track.readyState === "live").length;
  }
}

/** Lets promises settle. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

/** The block of a checkpoint that was trained like the published one. */
export const BLOCK = [
  { name: "AUDIO_BEGIN", token: 4, count: 1 },
  { name: "FRAMES", token: 5, count: 10 },
  { name: "ASSISTANT", token: 6, count: 1 },
];

export function chunk(k: number, more: Partial<Chunk> = {}): Chunk {
  return {
    type: "chunk",
    chunk: k,
    clip: 0,
    start_s: k * 0.4,
    rms_db: -30,
    envelope: [0.1, 0.5, 0.2],
    flags: [],
    mel: "",
    floor: "running",
    lead: "",
    ...more,
  };
}

export function decision(k: number, more: Partial<Decision> = {}): Decision {
  return {
    type: "decision",
    chunk: k,
    clip: 0,
    start_s: k * 0.4,
    token: 2,
    choice: "KEEP_SILENCE",
    p_keep: 0.9,
    p_text: 0.08,
    p_other: 0.02,
    logit_keep: 3,
    logit_text: 1,
    p_drawn: 0.9,
    draw: 0.4,
    argmax: 2,
    position: 20,
    alternatives: [],
    before: [],
    oldest: 0,
    used: 21,
    limit: 2048,
    rule: {},
    ...more,
  };
}

export function token(turn: number, index: number, text: string, more: Partial<Token> = {}): Token {
  return {
    type: "token",
    chunk: 0,
    turn,
    index,
    token: 100 + index,
    p: 0.7,
    text,
    p_drawn: 0.8,
    draw: null,
    argmax: 100 + index,
    position: 30,
    alternatives: [],
    ...more,
  };
}

export function turn(number: number, text: string, more: Partial<Turn> = {}): Turn {
  return {
    type: "turn",
    chunk: 0,
    turn: number,
    clip: 0,
    start_s: 0,
    emotion: null,
    text,
    tokens: [],
    ended: "TEXT_END",
    ...more,
  };
}

export function timing(k: number, reply_ms: number, more: Partial<Timing> = {}): Timing {
  return {
    type: "timing",
    chunk: k,
    features_ms: 1,
    tower_ms: 2,
    decide_ms: 3,
    reply_ms,
    queue_ms: 0,
    stream: 0,
    seq: -1,
    arrived_ms: 0,
    decided_ms: 0,
    encode_wait_ms: 0,
    capture_ms: 0,
    network_ms: 0,
    ...more,
  };
}
