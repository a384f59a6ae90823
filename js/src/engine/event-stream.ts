/** Stream of the events of one call, which are computed as they are read. */

import type { SessionEvent } from "../record/events";

/** Events of a call that are ready, as their places in the record, and whether the call is complete after them. */
export interface Ready {
  readonly places: readonly number[];
  readonly done: boolean;
}

/**
 * Iterator over the events of a call. A request for an event asks `more` when none is ready; requests that overlap are
 * answered in order. A reader that stops early leaves the rest to the session's next call.
 */
export class EventStream implements AsyncIterableIterator<SessionEvent> {
  private ready: number[] = [];
  private done = false;
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly record: readonly SessionEvent[],
    private readonly more: () => Promise<Ready>,
    private readonly stop: () => void,
  ) {}

  next(): Promise<IteratorResult<SessionEvent>> {
    const result = this.last.then(() => this.take());
    // An error belongs to the request that caused it; later requests continue behind it.
    this.last = result.catch(() => {});
    return result;
  }

  async return(): Promise<IteratorResult<SessionEvent>> {
    if (!this.done) this.stop();
    this.done = true;
    this.ready = [];
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private async take(): Promise<IteratorResult<SessionEvent>> {
    while (this.ready.length === 0 && !this.done) {
      const { places, done } = await this.more();
      this.ready.push(...places);
      this.done ||= done;
    }
    const place = this.ready.shift();
    if (place === undefined) return { done: true, value: undefined };
    return { done: false, value: this.record[place] as SessionEvent };
  }
}
