/**
 * All events of a session as lines of JSON, for saving: compressed in batches, since the store keeps only the numbers
 * that it draws. The newest events are complete; of older ones the details are discarded.
 */
import { deflateSync, inflateSync } from "fflate";
import type { SessionEvent } from "../record/events";
import { withoutDetails } from "../record/reduced";
import { ascii } from "./recording-header";

/** Events of one compressed batch: about two minutes, which take a few milliseconds to compress. */
export const BATCH_EVENTS = 1000;
/** Complete events: more than an hour, as in a record of the Python package without a folder. */
export const COMPLETE_EVENTS = 50_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class KeptEvents {
  #batches: Uint8Array[] = [];
  #open: SessionEvent[] = [];
  /** Number of batches without details. */
  #reduced = 0;

  constructor(
    private readonly batch = BATCH_EVENTS,
    private readonly complete = COMPLETE_EVENTS,
  ) {}

  get length(): number {
    return this.#batches.length * this.batch + this.#open.length;
  }

  /** Number of the oldest events whose details are discarded. */
  get reduced(): number {
    return this.#reduced * this.batch;
  }

  /** Bytes of the compressed batches. */
  get bytes(): number {
    return this.#batches.reduce((sum, { length }) => sum + length, 0);
  }

  /** Add an event. Returns it, and the notice that is added when details are discarded for the first time. */
  add(event: SessionEvent): SessionEvent[] {
    if (!this.#append(event)) return [event];
    const notice = reducedNotice(event.chunk, this.complete);
    this.#append(notice);
    return [event, notice];
  }

  /** Append an event; return whether details are discarded for the first time. */
  #append(event: SessionEvent): boolean {
    this.#open.push(event);
    if (this.#open.length < this.batch) return false;
    this.#batches.push(deflateSync(encoder.encode(linesOf(this.#open))));
    this.#open = [];
    const before = this.#reduced;
    while (this.length - this.reduced - this.batch >= this.complete) this.#reduceNext();
    return before === 0 && this.#reduced > 0;
  }

  /** Return the lines of all events in order, in parts. */
  *lines(): Generator<Uint8Array> {
    for (const batch of this.#batches) yield inflateSync(batch);
    if (this.#open.length > 0) yield encoder.encode(linesOf(this.#open));
  }

  /** Return the events in order, from an index on. */
  *events(from = 0): Generator<SessionEvent> {
    const whole = Math.min(Math.floor(from / this.batch), this.#batches.length);
    let skip = from - whole * this.batch;
    for (const batch of this.#batches.slice(whole)) {
      for (const event of eventsOf(batch)) if (skip-- <= 0) yield event;
    }
    yield* this.#open.slice(Math.max(0, skip));
  }

  #reduceNext(): void {
    const batch = this.#batches[this.#reduced] as Uint8Array;
    const plain = [...eventsOf(batch)].map(withoutDetails);
    this.#batches[this.#reduced] = deflateSync(encoder.encode(linesOf(plain)));
    this.#reduced += 1;
  }
}

/** Format events as lines of ASCII JSON: other characters are escaped, so that any text is one valid line. */
export function linesOf(events: readonly SessionEvent[]): string {
  return ascii(events.map((event) => `${JSON.stringify(event)}\n`).join(""));
}

function* eventsOf(batch: Uint8Array): Generator<SessionEvent> {
  for (const line of decoder.decode(inflateSync(batch)).split("\n")) if (line) yield JSON.parse(line);
}

/** Build the notice that only the newest events keep their details (`record/discards.py`). */
function reducedNotice(chunk: number, events: number): SessionEvent {
  const message = `Of events older than the newest ${events.toLocaleString("en")}, the details (alternatives, envelopes, log-mels) are discarded from this chunk on; their numbers stay in the tables.`;
  return { type: "notice", chunk, kind: "events_reduced", message, data: { events } };
}
