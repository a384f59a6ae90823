/**
 * Feed: the queue of a session's audio that is not decided yet. A call adds an item; the feed converts the first item to
 * pieces, a few seconds at a time, and gives the next piece until it is taken.
 */

import { CHUNK_SECONDS } from "../record/events";
import { type ChunkAudio, Intake, silence } from "./chunker";
import type { Origin } from "./engine";
import { CHUNK_SAMPLES } from "./log-mel";
import { originOf } from "./loop-state";
import { SAMPLE_RATE } from "./resampler";

/** Length of a piece of a block that is resampled and cut at once, in seconds: the first chunk of a long block is
 * decided before the rest is read. */
const PIECE_SECONDS = 10;

/** Block of a stream. */
interface Block {
  readonly kind: "block";
  readonly samples: Float32Array;
  readonly rate: number;
  readonly origin: Origin;
}

/** End of a recording, followed by seconds of silence. */
interface End {
  readonly kind: "end";
  readonly tail: number;
}

/** Chunks of a record that are heard again; `closing`: the last one ends its clip. */
interface Again {
  readonly kind: "again";
  readonly chunks: readonly { readonly audio: ChunkAudio<Origin>; readonly clip: number }[];
  readonly closing: boolean;
}

/** Notice at its place in the audio, such as that of audio which was dropped before it arrived here. */
export interface Note {
  readonly kind: "note";
  readonly notice: {
    readonly kind: string;
    readonly message: string;
    readonly data: Readonly<Record<string, unknown>>;
  };
}

export type Item = Block | End | Again | Note;

/** Next piece of a feed: a chunk (`clip` null: the current clip), a notice, or the end of a clip; `call` brought it. */
export type Piece =
  | {
      readonly kind: "chunk";
      readonly audio: ChunkAudio<Origin>;
      readonly clip: number | null;
      readonly call: number;
    }
  | { readonly kind: "note"; readonly notice: Note["notice"]; readonly call: number }
  | { readonly kind: "end"; readonly call: number };

export class Feed {
  private items: { readonly item: Item; readonly call: number; done: number }[] = [];
  private pieces: Piece[] = [];
  private intake = new Intake<Origin>();

  /** Append an item that a call brought. Calls are numbered in order. */
  put(item: Item, call: number): void {
    this.items.push({ item, call, done: 0 });
  }

  /** Return the next piece without taking it; null if nothing is pending. */
  next(): Piece | null {
    while (this.pieces.length === 0 && this.items.length > 0) this.more();
    return this.pieces[0] ?? null;
  }

  /** Remove the piece that `next` returned. */
  take(): void {
    this.pieces.shift();
  }

  /** Return whether a piece of a call, or of an earlier one, is pending. */
  isBusy(call: number): boolean {
    const next = this.next();
    return next !== null && next.call <= call;
  }

  /** Return whether only chunks of a record are pending, which a fork takes from there. */
  get isAgain(): boolean {
    return (
      this.pieces.every(({ call }) => call === 0) && this.items.every(({ item }) => item.kind === "again")
    );
  }

  /** Return the pending audio in seconds; `partial`: including the chunk that is not complete. */
  pending(partial: boolean): number {
    let seconds = this.pieces.filter((piece) => piece.kind === "chunk").length * CHUNK_SECONDS;
    for (const { item, done } of this.items) {
      if (item.kind === "block") seconds += (item.samples.length - done) / item.rate;
      else if (item.kind === "end") seconds += item.tail;
      else if (item.kind === "again") seconds += item.chunks.length * CHUNK_SECONDS;
    }
    return seconds + (partial ? this.intake.waiting / SAMPLE_RATE : 0);
  }

  /** Drop all pending audio. */
  drop(): void {
    this.items = [];
    this.pieces = [];
    this.intake = new Intake();
  }

  /** Convert the first item, or its next seconds, to pieces. */
  private more(): void {
    const first = this.items[0];
    if (!first) return;
    const { item, call } = first;
    const chunk = (audio: ChunkAudio<Origin>, clip: number | null = null): Piece => ({
      ...{ kind: "chunk", audio, clip, call },
    });
    switch (item.kind) {
      case "block": {
        const count = Math.max(PIECE_SECONDS * item.rate, CHUNK_SAMPLES);
        const part = item.samples.subarray(first.done, first.done + count);
        first.done += part.length;
        const { origin } = item;
        this.pieces = this.intake.push(part, item.rate, origin.flags, origin).map((audio) => chunk(audio));
        if (first.done < item.samples.length) return;
        break;
      }
      case "end": {
        const origin = originOf();
        const rest = [...this.intake.finish(origin), ...silence(item.tail, origin)];
        this.pieces = [...rest.map((audio) => chunk(audio)), { kind: "end", call }];
        break;
      }
      case "note":
        this.pieces = [{ kind: "note", notice: item.notice, call }];
        break;
      case "again": {
        const end: Piece[] = item.closing ? [{ kind: "end", call }] : [];
        this.pieces = [...item.chunks.map(({ audio, clip }) => chunk(audio, clip)), ...end];
        break;
      }
    }
    this.items.shift();
  }
}
