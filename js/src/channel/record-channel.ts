/** Channel of an exported page: no kernel, no running session. The data were written by `record/html.py`. */

import { batch } from "@preact/signals";
import { ChunkPlayer } from "../playback/chunk-player";
import { type Clip, type ClipSource, SilentPlayer } from "../playback/clip";
import { Replay, type ReplayOptions } from "../playback/replay";
import { decodeAudio, type Fetched, type Sound } from "../playback/sound";
import { pairOf } from "../record/decision-rule";
import { CHUNK_SECONDS, type SessionEvent } from "../record/events";
import type { Unpacked } from "../record/packed";
import { applyEvent, recordEnd, SessionRecord } from "../record/record";
import { readVocabulary } from "../record/vocabulary";
import { Speech } from "../speech/speech";
import { type Analyses, readAnalyses } from "../store/analyses";
import type { Problem } from "../store/problem";
import { readSettings } from "../store/settings";
import { createStore, dismissProblem, type Store } from "../store/store";
import { isObject } from "../text/json";
import type { Channel } from "./channel";

/** Version of the page header that this viewer reads (`record/html.py`). */
const FORMAT = 1;
/** Number of log-mels added without a pause: about ten milliseconds of work. */
const MELS_AT_ONCE = 1000;
const NO_AUDIO: Fetched = { why: "This page has no audio of this chunk." };

/** Facts of the record besides the events. */
export interface RecordHeader {
  title: string;
  /** Model, date, version and lengths, each a short text. */
  facts: readonly string[];
  settings: Readonly<Record<string, unknown>>;
  /** Sentences about the details that the page lacks. */
  notes: readonly string[];
  vocabulary: ReturnType<typeof readVocabulary>;
  model: { name: string; detail: string };
  /** Media type, start on the session's clock, and the encoder's delay before the start. */
  audio: { type: string; start_s: number; delay_s: number } | null;
  /** Results of analyses that were computed before the page was exported. */
  analyses: Analyses;
}

/** Read the page's header. Throws an error with a sentence if the page has another version. */
export function readHeader(value: unknown): RecordHeader {
  if (!isObject(value) || value.format !== FORMAT) {
    throw new Error("The record of this page is of another version than its viewer.");
  }
  const text = (item: unknown) => (typeof item === "string" ? item : "");
  const audio = isObject(value.audio)
    ? {
        type: text(value.audio.type),
        start_s: Number(value.audio.start_s) || 0,
        delay_s: Number(value.audio.delay_s) || 0,
      }
    : null;
  const [name, detail] = [text(value.model), text(value.detail)];
  return {
    title: text(value.title),
    facts: [name, detail, dateText(text(value.created)), text(value.summary), text(value.made_by)].filter(
      Boolean,
    ),
    settings: readSettings(value.settings) ?? {},
    notes: Array.isArray(value.notes) ? value.notes.map(text).filter(Boolean) : [],
    vocabulary: readVocabulary(value),
    model: { name, detail },
    audio,
    analyses: readAnalyses(isObject(value.analyses) ? value.analyses : {}),
  };
}

/** Format a date in the reader's locale; unchanged if it is no date. */
function dateText(created: string): string {
  const date = new Date(created);
  if (!created || Number.isNaN(date.getTime())) return created;
  return date.toLocaleString(undefined, { dateStyle: "long", timeStyle: "short" });
}

export interface RecordChannelOptions extends ReplayOptions {
  /** Decodes the whole audio for the sound of single chunks. */
  decode?: (audio: Blob) => Promise<Sound>;
}

export class RecordChannel implements Channel {
  readonly store: Store = createStore();
  readonly speech = new Speech();
  readonly player = new ChunkPlayer(this);
  readonly replay: Replay;
  readonly ongoing = false;
  /** A record accepts neither audio nor changes. */
  readonly ready = false;
  readonly branching = null;
  readonly analysing = null;
  readonly #audio: Blob | null;
  readonly #decode: (audio: Blob) => Promise<Sound>;
  #decoded: Promise<Sound> | null = null;

  constructor(
    readonly header: RecordHeader,
    { events, mels }: Unpacked,
    audio: Blob | null,
    options: RecordChannelOptions = {},
  ) {
    this.#audio = audio;
    this.#decode = options.decode ?? decodeAudio;
    const { store } = this;
    const clips = new PageClips(audio, header.audio, () => recordEnd(store.record));
    this.replay = new Replay(clips, audio ? options : { ...options, createPlayer: () => new SilentPlayer() });
    const record = new SessionRecord();
    for (const event of events) applyEvent(record, this.#complete(event), header.vocabulary ?? undefined);
    record.speaking = false;
    batch(() => {
      store.record = record;
      store.saved.value = true;
      store.model.value = { status: "ready", kind: "model", ...header.model };
      store.settings.value = header.settings;
      store.analyses.value = header.analyses;
      if (header.vocabulary) store.vocabulary.value = header.vocabulary;
      store.version.value += 1;
    });
    this.#addMels([...mels]);
  }

  /** Add the log-mels in parts: those of an hour would delay the first picture. */
  #addMels(mels: readonly (readonly [chunk: number, bytes: Uint8Array])[]): void {
    const { record, version } = this.store;
    for (const [chunk, bytes] of mels.slice(0, MELS_AT_ONCE)) {
      record.chunks.mel.setBytes(chunk, bytes);
      record.touch(chunk);
    }
    version.value += 1;
    if (mels.length > MELS_AT_ONCE) setTimeout(() => this.#addMels(mels.slice(MELS_AT_ONCE)));
  }

  /** Whether the page has audio. */
  get hasAudio(): boolean {
    return this.#audio !== null;
  }

  /** Return null: a page keeps only the sound as the model heard it. */
  rawAudio(): Sound | null {
    return null;
  }

  async fetchAudio(chunk: number): Promise<Fetched> {
    if (!this.#audio) return NO_AUDIO;
    this.#decoded ??= this.#decode(this.#audio);
    const { samples, rate } = await this.#decoded;
    const { start_s = 0, delay_s = 0 } = this.header.audio ?? {};
    const from = Math.round((chunk * CHUNK_SECONDS - start_s + delay_s) * rate);
    const part =
      chunk * CHUNK_SECONDS >= start_s - 1e-6
        ? samples.subarray(from, from + Math.round(CHUNK_SECONDS * rate))
        : samples.subarray(0, 0);
    return part.length > 0 ? { sound: { samples: part, rate } } : NO_AUDIO;
  }

  dismiss(problem: Problem): void {
    dismissProblem(this.store, problem.code);
  }

  /**
   * Add the fields that a less detailed page omits. A page and its viewer have the same version, so no other field is
   * missing.
   */
  #complete(event: SessionEvent): SessionEvent {
    const { vocabulary } = this.header;
    if (event.type !== "decision" || event.alternatives.length > 0 || !vocabulary || !event.rule.mask)
      return event;
    const { text, keep, text_kept, keep_kept } = pairOf(event.logit_keep, event.logit_text, event.rule);
    const candidate = (name: string, p: number, scaled: number, kept: number) => {
      const token = vocabulary.tokens[name];
      return token === undefined ? [] : [{ token, text: name, p, scaled, kept }];
    };
    return {
      ...event,
      alternatives: [
        ...candidate("KEEP_SILENCE", event.p_keep, keep, keep_kept),
        ...candidate("TEXT_BEGIN", event.p_text, text, text_kept),
      ],
    };
  }
}

/** Source of the page's audio as one clip; the time before it, or all without audio, is silent. */
class PageClips implements ClipSource {
  constructor(
    private readonly audio: Blob | null,
    private readonly about: RecordHeader["audio"],
    readonly end_s: () => number,
  ) {}

  clipAt(seconds: number): Promise<Clip | { why: string }> {
    const { audio } = this;
    const { start_s = 0, delay_s = 0 } = this.about ?? {};
    if (audio && seconds >= start_s) {
      const url = URL.createObjectURL(audio);
      return Promise.resolve({
        ...{ url, from_s: start_s, to_s: this.end_s(), offset_s: delay_s },
        release: () => URL.revokeObjectURL(url),
      });
    }
    if (audio) return Promise.resolve({ why: `The audio of this page begins at ${start_s.toFixed(1)} s.` });
    return Promise.resolve({ url: "", from_s: 0, to_s: this.end_s(), offset_s: 0, release: () => {} });
  }
}
