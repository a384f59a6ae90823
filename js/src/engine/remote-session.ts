/** Session in the worker, as the page has it: its state is that of the newest reply. */

import type { SessionEvent } from "../record/events";
import { appendBounded } from "../record/reduced";
import type { PendingNotice } from "./admission";
import { checkBlock, checkTail } from "./chunker";
import type { EngineClient } from "./client";
import type { EngineSession, ForkChange, Heading, Origin, SettingsChange } from "./engine";
import { EngineError, SessionError } from "./errors";
import { EventStream, type Ready } from "./event-stream";
import { headingOf } from "./heading";
import { originOf } from "./loop-state";
import { SAMPLE_RATE } from "./resampler";
import { changedSettings, type Settings } from "./settings";
import { type Model, termsOf } from "./terms";
import type { News, Request } from "./worker-messages";

/** Sessions of one engine, by their numbers. */
export class Sessions {
  private readonly open = new Map<number, RemoteSession>();
  private newest = 0;

  constructor(
    readonly model: Model,
    readonly client: EngineClient,
  ) {
    client.onNews = (news) => this.open.get(news.session)?.receive(news);
  }

  /** Return the number of a new session. */
  number(): number {
    this.newest++;
    return this.newest;
  }

  add(number: number, session: RemoteSession): void {
    this.open.set(number, session);
  }

  remove(number: number): void {
    this.open.delete(number);
  }
}

export class RemoteSession implements EngineSession {
  readonly heading: Heading;
  readonly record: SessionEvent[];
  ended: string | null = null;
  chunks = 0;
  pending_s = 0;
  speaking = false;
  private newestReader = 0;
  private closed = false;

  /**
   * @param opened Settled when the worker has opened the session.
   * @param record Events that the session begins with.
   */
  constructor(
    private readonly sessions: Sessions,
    private readonly number: number,
    public settings: Settings,
    private readonly opened: Promise<unknown>,
    record: SessionEvent[] = [],
  ) {
    this.heading = headingOf(sessions.model, settings);
    this.record = record;
    sessions.add(number, this);
    // An error of the opening is reported by the first call.
    opened.catch(() => {});
  }

  /** Take over what the worker tells of this session. */
  receive({ events, ended, chunks, pending_s, speaking }: News): void {
    for (const event of events) appendBounded(this.record, event);
    Object.assign(this, { ended, chunks, pending_s, speaking });
  }

  push(samples: Float32Array, rate = SAMPLE_RATE, origin: Partial<Origin> = {}): EventStream {
    checkBlock(samples, rate);
    const copy = samples.slice();
    const from = originOf(origin);
    return this.stream(
      (reader) => ({ ...this.to(reader), type: "push", samples: copy, rate, origin: from }),
      [copy.buffer],
    );
  }

  finish(tailSilence = 0): EventStream {
    const tail = checkTail(tailSilence);
    return this.stream((reader) => ({ ...this.to(reader), type: "finish", tail }));
  }

  note(notice: PendingNotice): EventStream {
    return this.stream((reader) => ({ ...this.to(reader), type: "note", notice }));
  }

  runOn(): EventStream {
    return this.stream((reader) => ({ ...this.to(reader), type: "runOn" }));
  }

  interrupt(): void {
    this.tell({ type: "interrupt", session: this.number });
  }

  set(changes: SettingsChange): Settings {
    this.checkOpen();
    const { model } = this.sessions;
    const settings = changedSettings(model.manifest.settings, this.settings, changes);
    termsOf(model, settings);
    this.settings = settings;
    this.tell({ type: "set", session: this.number, settings: changes });
    return settings;
  }

  async fork(change: ForkChange): Promise<RemoteSession> {
    await this.opened;
    const to = this.sessions.number();
    const { client } = this.sessions;
    const { value, news } = await client.request({ type: "fork", session: this.number, to, change });
    if (!news) throw new EngineError("The worker answered a fork without its events.");
    const record = this.record.slice(0, value as number);
    const branch = new RemoteSession(this.sessions, to, news.settings, Promise.resolve(), record);
    branch.receive(news);
    return branch;
  }

  async audio(chunk: number): Promise<Float32Array | null> {
    await this.opened;
    const { value } = await this.sessions.client.request({ type: "audio", session: this.number, chunk });
    return value as Float32Array | null;
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.sessions.client.request({ type: "close", session: this.number });
    this.sessions.remove(this.number);
  }

  private to(reader: number): { readonly session: number; readonly reader: number } {
    return { session: this.number, reader };
  }

  /** Send a request that begins a call, and return the stream of its events. */
  private stream(begin: (reader: number) => Request, transfer: Transferable[] = []): EventStream {
    this.checkOpen();
    const reader = ++this.newestReader;
    const begun = this.sessions.client.request(begin(reader), transfer);
    // An error of the beginning is reported to the reader.
    begun.catch(() => {});
    const more = async () => {
      await this.opened;
      await begun;
      return (await this.sessions.client.request({ ...this.to(reader), type: "more" })).value as Ready;
    };
    return new EventStream(this.record, more, () => this.tell({ ...this.to(reader), type: "stop" }));
  }

  /** Send a request without a result; if the worker is lost, the next call reports it. */
  private tell(request: Request): void {
    this.sessions.client.request(request).catch(() => {});
  }

  private checkOpen(): void {
    if (this.closed)
      throw new SessionError("This session is closed; open another one with engine.session().");
  }
}
