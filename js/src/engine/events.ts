/** Stream of the events of one call, which are computed as they are read. */

import type { SessionEvent } from "../record/events";

/** Events that are ready, and whether the call is complete after them. */
export interface Ready {
  readonly events: readonly SessionEvent[];
  readonly done: boolean;
}

/**
 * Iterator over the events of a call. Each request for an event asks `more` when none is ready; requests that overlap are
 * answered in order. A reader that stops early leaves the rest to the session's next call.
 */
export class EventStream implements AsyncIterableIterator<SessionEvent> {
  private ready: SessionEvent[] = [];
  private done = false;
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly more: () => Promise<Ready>,
    private readonly stop: () => void = () => {},
  ) {}

  next(): Promise<IteratorResult<SessionEvent>> {
    const result = this.last.then(() => this.take());
    // An error belongs to the request that caused it; later requests continue behind it.
    this.last = result.catch(() => {});
    return result;
  }

  async return(): Promise<IteratorResult<SessionEvent>> {
    this.done = true;
    this.ready = [];
    this.stop();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private async take(): Promise<IteratorResult<SessionEvent>> {
    while (this.ready.length === 0 && !this.done) {
      const { events, done } = await this.more();
      this.ready.push(...events);
      this.done = done;
    }
    const value = this.ready.shift();
    return value ? { done: false, value } : { done: true, value: undefined };
  }
}
