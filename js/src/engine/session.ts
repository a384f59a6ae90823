/** Session in the thread that computes. The worker runs these, and so do tests and programs without a worker. */

import type { SessionEvent } from "../record/events";
import type { PendingNotice } from "./admission";
import { checkBlock, checkTail } from "./chunker";
import type { EngineSession, ForkChange, Heading, Origin, SettingsChange } from "./engine";
import { SessionError } from "./errors";
import { EventStream, type Ready } from "./event-stream";
import type { Item } from "./feed";
import { forked } from "./fork";
import { headingOf } from "./heading";
import { Loop } from "./loop";
import { originOf } from "./loop-state";
import { givenOf, type Past } from "./past";
import { SAMPLE_RATE } from "./resampler";
import type { Runtime } from "./runtime";
import { changedSettings, defaultSettings, type Settings } from "./settings";
import { type Model, termsOf } from "./terms";

/** Reader of the events of one call, or of all events until the call is complete. */
interface Reader {
  readonly call: number;
  readonly all: boolean;
  /** Places in the record of the events that are not read yet. */
  unread: number[];
}

export class LocalSession implements EngineSession {
  readonly heading: Heading;
  /** Number of the record's events that a fork shares with its original. */
  readonly shared: number;
  private readonly readers = new Map<number, Reader>();
  private newestReader = 0;
  private newestCall = 0;
  /** End of the queue of steps: one runs at a time. */
  private last: Promise<unknown> = Promise.resolve();
  private closed = false;

  private constructor(
    private readonly model: Model,
    private readonly loop: Loop,
    shared = 0,
  ) {
    this.heading = headingOf(model, loop.settings);
    this.shared = shared;
    loop.onEvent = (call) => {
      for (const reader of this.readers.values()) {
        if (reader.all || reader.call === call) reader.unread.push(loop.record.length - 1);
      }
    };
  }

  /** Open a session; `SettingError` if a setting is not allowed or leaves the context too short. */
  static open(model: Model, runtime: Runtime, changes: SettingsChange = {}): LocalSession {
    const schema = model.manifest.settings;
    const settings = changedSettings(schema, defaultSettings(schema), changes);
    return new LocalSession(model, new Loop(model, runtime, settings));
  }

  /** Open a session in which the audio of a recording is pending; throws what `open` throws. */
  static rerun(model: Model, runtime: Runtime, past: Past): LocalSession {
    const schema = model.manifest.settings;
    const loop = new Loop(model, runtime, changedSettings(schema, defaultSettings(schema), past.settings));
    loop.script = past.script;
    const given = givenOf(past);
    loop.given = given;
    if (given.chunks.length > 0) loop.feed.put({ kind: "again", ...given }, 0);
    return new LocalSession(model, loop);
  }

  get record(): readonly SessionEvent[] {
    return this.loop.record;
  }

  get settings(): Settings {
    return this.loop.settings;
  }

  get ended(): string | null {
    return this.loop.state.progress.ended;
  }

  get chunks(): number {
    return this.loop.state.chunks;
  }

  get pending_s(): number {
    return this.loop.feed.pending(true);
  }

  get speaking(): boolean {
    return this.loop.state.progress.reply !== null;
  }

  push(samples: Float32Array, rate = SAMPLE_RATE, origin: Partial<Origin> = {}): EventStream {
    checkBlock(samples, rate);
    return this.stream({ kind: "block", samples: samples.slice(), rate, origin: originOf(origin) });
  }

  finish(tailSilence = 0): EventStream {
    return this.stream({ kind: "end", tail: checkTail(tailSilence) });
  }

  note(notice: PendingNotice): EventStream {
    return this.stream({ kind: "note", notice });
  }

  runOn(): EventStream {
    return this.stream(null);
  }

  interrupt(): void {
    this.loop.turns.interrupt();
  }

  set(changes: SettingsChange): Settings {
    this.checkOpen();
    const settings = changedSettings(this.model.manifest.settings, this.settings, changes);
    termsOf(this.model, settings);
    this.loop.settings = settings;
    return settings;
  }

  fork(change: ForkChange): Promise<LocalSession> {
    return this.exclusive(async () => {
      while (!this.closed && !this.canFork(change.chunk) && (await this.loop.advance()));
      const { branch, shared } = await forked(this.loop, change);
      return new LocalSession(this.model, branch, shared);
    });
  }

  async audio(chunk: number): Promise<Float32Array | null> {
    return this.loop.audio.get(chunk)?.slice() ?? null;
  }

  close(): Promise<void> {
    return this.exclusive(async () => {
      if (this.closed) return;
      this.closed = true;
      this.loop.close();
    });
  }

  /** Queue an item, and return the number of the reader of its events; null reads all pending audio. */
  begin(item: Item | null): number {
    this.checkOpen();
    if (item) this.loop.feed.put(item, ++this.newestCall);
    const reader = ++this.newestReader;
    this.readers.set(reader, { call: this.newestCall, all: item === null, unread: [] });
    return reader;
  }

  /** Run steps until an event of a reader is ready, or its call is complete. */
  more(number: number): Promise<Ready> {
    return this.exclusive(async () => {
      const reader = this.readers.get(number);
      if (!reader) return { places: [], done: true };
      while (reader.unread.length === 0 && this.loop.isBusy(reader.call)) await this.loop.advance();
      const places = reader.unread;
      reader.unread = [];
      const done = !this.loop.isBusy(reader.call);
      if (done) this.readers.delete(number);
      return { places, done };
    });
  }

  /** Remove a reader whose events are not read any more. */
  stop(reader: number): void {
    this.readers.delete(reader);
  }

  /** Return whether a fork at a chunk needs no further steps: the rest of a recording is heard in the fork. */
  private canFork(chunk: number): boolean {
    const { state, given, feed, known } = this.loop;
    if (given === null || state.work || !feed.isAgain) return false;
    return state.chunks >= chunk || !(chunk <= known);
  }

  private stream(item: Item | null): EventStream {
    const reader = this.begin(item);
    return new EventStream(
      this.record,
      () => this.more(reader),
      () => this.stop(reader),
    );
  }

  private checkOpen(): void {
    if (this.closed)
      throw new SessionError("This session is closed; open another one with engine.session().");
  }

  private exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.last.then(work);
    // An error belongs to the call that caused it.
    this.last = result.catch(() => {});
    return result;
  }
}
