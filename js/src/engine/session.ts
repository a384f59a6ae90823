/** Session in the thread that computes. The worker runs these, and so do tests and pages without a worker. */

import type { SessionEvent } from "../record/events";
import { checkBlock, checkTail } from "./chunker";
import type { EngineSession, ForkChange, Heading, Origin, SettingsChange } from "./engine";
import { SessionError } from "./errors";
import { EventStream } from "./events";
import type { Item } from "./feed";
import { forked } from "./fork";
import { headingOf } from "./heading";
import { Loop } from "./loop";
import { originOf } from "./loop-state";
import { SAMPLE_RATE } from "./resampler";
import type { Runtime } from "./runtime";
import { changedSettings, defaultSettings, type Settings } from "./settings";
import { type Model, termsOf } from "./terms";

export class LocalSession implements EngineSession {
  readonly heading: Heading;
  /** Events that are not read yet, by the call that brought their audio. */
  private readonly unread = new Map<number, SessionEvent[]>();
  private newest = 0;
  /** End of the queue of steps: one runs at a time. */
  private last: Promise<unknown> = Promise.resolve();
  private closed = false;

  private constructor(
    private readonly model: Model,
    private readonly loop: Loop,
  ) {
    this.heading = headingOf(model, loop.settings);
    loop.onEvent = (event, call) => this.unread.get(call)?.push(event);
  }

  /** Open a session; `SettingError` if a setting is not allowed or leaves the context too short. */
  static open(model: Model, runtime: Runtime, changes: SettingsChange = {}): LocalSession {
    const schema = model.manifest.settings;
    const settings = changedSettings(schema, defaultSettings(schema), changes);
    return new LocalSession(model, new Loop(model, runtime, settings));
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
    return this.begin({ kind: "block", samples: samples.slice(), rate, origin: originOf(origin) });
  }

  finish(tailSilence = 0): EventStream {
    return this.begin({ kind: "end", tail: checkTail(tailSilence) });
  }

  runOn(): EventStream {
    this.checkOpen();
    const call = this.newest;
    let read = this.record.length;
    return new EventStream(() =>
      this.exclusive(async () => {
        while (this.record.length === read && this.loop.isBusy(call)) await this.loop.advance();
        const events = this.record.slice(read);
        read += events.length;
        return { events, done: !this.loop.isBusy(call) };
      }),
    );
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
      if (!this.closed) while (await this.loop.advance());
      return new LocalSession(this.model, await forked(this.loop, change));
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

  private checkOpen(): void {
    if (this.closed)
      throw new SessionError("This session is closed; open another one with engine.session().");
  }

  /** Queue an item, and return the stream of its events. */
  private begin(item: Item): EventStream {
    this.checkOpen();
    this.newest++;
    const call = this.newest;
    this.unread.set(call, []);
    this.loop.feed.put(item, call);
    const more = () =>
      this.exclusive(async () => {
        while (this.unread.get(call)?.length === 0 && this.loop.isBusy(call)) await this.loop.advance();
        const events = this.unread.get(call) ?? [];
        const done = !this.loop.isBusy(call);
        if (done) this.unread.delete(call);
        else this.unread.set(call, []);
        return { events, done };
      });
    return new EventStream(more, () => this.unread.delete(call));
  }

  private exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.last.then(work);
    // An error belongs to the call that caused it.
    this.last = result.catch(() => {});
    return result;
  }
}
