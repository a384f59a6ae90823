/** An engine without a model: it cuts chunks, decides by a script, and answers with given words. */
import type {
  Engine,
  EngineSession,
  ForkChange,
  Origin,
  Recorded,
  SettingsChange,
} from "../src/engine/engine";
import { SettingError } from "../src/engine/errors";
import type { SessionEvent } from "../src/record/events";
import { chunk, decision, timing, token, turn } from "./fakes";

export const TOKENS = { KEEP_SILENCE: 2, TEXT_BEGIN: 3, PAD: 5 };
export const SCHEMA = [
  { ...{ name: "greedy", kind: "bool", default: false, label: "Greedy", help: "" }, ...usual("Sampling") },
  {
    ...{ name: "bias", kind: "float", default: 0, label: "Bias", help: "", low: -20, high: 20 },
    ...usual("Sampling"),
  },
  { ...{ name: "seed", kind: "int", default: 0, label: "Seed", help: "", low: 0 }, ...usual("Sampling") },
  {
    ...{ name: "context", kind: "choice", default: "slide", label: "Context", help: "" },
    ...usual("Context"),
    choices: [
      ["slide", "slides"],
      ["stop", "ends"],
    ],
  },
  {
    ...{ name: "system_prompt", kind: "str", default: null, label: "Prompt", help: "", optional: true },
    ...usual("Context"),
  },
];

function usual(group: string) {
  return { group, unset: "", lines: 1, choices: [] as unknown[], scale: null, optional: false };
}

const FINGERPRINT = "0123456789abcdef";

/** Reply of the model to a chunk; null for silence. */
export type Script = (chunk: number, samples: Float32Array) => readonly string[] | null;

export class ScriptedSession implements EngineSession {
  record: SessionEvent[] = [];
  ended: string | null = null;
  speaking = false;
  closed = false;
  origins: (Partial<Origin> | undefined)[] = [];
  settings;
  readonly heading;
  #samples: number[] = [];
  #chunks: Float32Array[] = [];
  #turns = 0;
  #interrupted = false;
  #pending: Float32Array[] = [];
  forced: Readonly<Record<number, string>> = {};

  constructor(
    private readonly script: Script,
    settings: SettingsChange,
  ) {
    const usual = Object.fromEntries(SCHEMA.map(({ name, default: value }) => [name, value]));
    this.settings = { ...usual, ...settings } as unknown as EngineSession["settings"];
    this.heading = {
      model: {
        name: "scripted",
        fingerprint: FINGERPRINT,
        traits: { special_tokens: TOKENS, framing: { chunk: ["FRAMES"] } },
      },
      settings: this.settings,
      framing: { prefix: [], block: [5], limit: 2048, texts: {} },
      versions: { ai_widgets: "0" },
    };
  }

  get chunks(): number {
    return this.#chunks.length;
  }

  get pending_s(): number {
    return this.#samples.length / 16_000;
  }

  async *push(
    samples: Float32Array,
    rate = 16_000,
    origin?: Partial<Origin>,
  ): AsyncIterableIterator<SessionEvent> {
    this.origins.push(origin);
    const length = Math.round((samples.length * 16_000) / rate);
    for (let i = 0; i < length; i++) this.#samples.push(samples[Math.floor((i * rate) / 16_000)] ?? 0);
    yield* this.#decide(origin);
  }

  async *finish(tail = 0): AsyncIterableIterator<SessionEvent> {
    for (let i = 0; i < tail * 16_000; i++) this.#samples.push(0);
    while (this.#samples.length % 6400 > 0) this.#samples.push(0);
    yield* this.#decide();
  }

  async *note({
    kind,
    message,
    data,
  }: Parameters<EngineSession["note"]>[0]): AsyncIterableIterator<SessionEvent> {
    yield this.#written({ type: "notice", chunk: Math.max(0, this.chunks - 1), kind, message, data });
  }

  async *runOn(): AsyncIterableIterator<SessionEvent> {
    for (let next = this.#pending.shift(); next; next = this.#pending.shift()) yield* this.#hear(next);
  }

  async *#decide(origin?: Partial<Origin>): AsyncIterableIterator<SessionEvent> {
    while (this.#samples.length >= 6400)
      yield* this.#hear(Float32Array.from(this.#samples.splice(0, 6400)), origin);
  }

  async *#hear(samples: Float32Array, origin?: Partial<Origin>): AsyncIterableIterator<SessionEvent> {
    const at = this.#chunks.length;
    this.#chunks.push(samples);
    yield this.#written(chunk(at, { flags: [...(origin?.flags ?? [])] }));
    const reply = this.forced[at] === "TEXT_BEGIN" ? ["forced"] : this.script(at, samples);
    const choice = reply ? "TEXT_BEGIN" : "KEEP_SILENCE";
    this.speaking = reply !== null;
    this.#interrupted = false;
    yield this.#written(decision(at, { choice, token: TOKENS[choice], rule: { greedy: true } }));
    if (reply) {
      let text = "";
      for (const [i, word] of reply.entries()) {
        if (this.#interrupted) break;
        text += word;
        yield this.#written(token(this.#turns, i, word, { chunk: at }));
      }
      this.speaking = false;
      const ended = this.#interrupted ? "interrupted" : "TEXT_END";
      yield this.#written(turn(this.#turns, text, { chunk: at, start_s: at * 0.4, ended }));
      this.#turns += 1;
    }
    yield this.#written(timing(at, 0, { stream: origin?.stream ?? 0, seq: origin?.seq ?? -1 }));
  }

  #written(event: SessionEvent): SessionEvent {
    this.record.push(event);
    return event;
  }

  interrupt(): void {
    this.#interrupted = this.speaking;
  }

  set(changes: SettingsChange) {
    if (Number((changes as { bias?: number }).bias) > 20) throw new SettingError("bias must be at most 20.");
    this.settings = { ...this.settings, ...changes };
    return this.settings;
  }

  async fork({ chunk: from, settings = {}, force }: ForkChange): Promise<EngineSession> {
    const fork = new ScriptedSession(this.script, { ...this.settings, ...settings });
    while (this.#chunks.length < from)
      for await (const _ of this.#hear(this.#pending.shift() as Float32Array));
    fork.#chunks = this.#chunks.slice(0, from);
    fork.#pending = [...this.#chunks.slice(from), ...this.#pending];
    fork.#turns = this.record.filter(({ type, chunk: at }) => type === "turn" && at < from).length;
    if (force) fork.forced = typeof force === "string" ? { [from]: force } : force;
    return fork;
  }

  async audio(at: number): Promise<Float32Array | null> {
    return this.#chunks[at] ?? null;
  }

  /** Give the chunks of a recording, which are pending. */
  give(samples: Float32Array): void {
    for (let at = 0; at < samples.length; at += 6400) this.#pending.push(samples.slice(at, at + 6400));
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

export class ScriptedEngine implements Engine {
  readonly manifest = {
    ...{ format: 1, name: "scripted", settings: SCHEMA },
    model: { fingerprint: FINGERPRINT },
  } as unknown as Engine["manifest"];
  readonly facts = {
    runtime: "onnxruntime-web",
    version: "1.30.0",
    provider: "wasm",
    threads: 1,
    worker: true,
    loaded_ms: 12,
  } as const;
  sessions: ScriptedSession[] = [];
  closed = false;

  constructor(private readonly script: Script = () => null) {}

  session(settings: SettingsChange = {}): ScriptedSession {
    const session = new ScriptedSession(this.script, settings);
    this.sessions.push(session);
    return session;
  }

  rerun({ settings, samples }: Recorded): ScriptedSession {
    const session = this.session(settings as SettingsChange);
    session.give(samples);
    return session;
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
