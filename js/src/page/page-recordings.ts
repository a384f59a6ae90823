/** Recordings of the page: open one in place of the session, and save what is shown. All in this tab. */
import { batch } from "@preact/signals";
import type { RecordingActions } from "../channel/channel";
import type { RecordingFormat } from "../channel/messages";
import { type Deliver, download } from "../channel/saving";
import type { Engine } from "../engine/engine";
import { completeEvent } from "../record/complete-event";
import { applyEvent, emptyRecord } from "../record/record";
import { isRunning } from "../store/mic-state";
import { isPlaying } from "../store/playing";
import { dismissProblem, type Store, showProblem } from "../store/store";
import { type Original, RecordedSession, refusalOf } from "./recorded-session";
import { chunkOf, type DecodeFlac, type Recording, readRecording } from "./recording-file";
import { factsOf, RecordingError, vocabularyOf } from "./recording-header";

/** Largest recording that is opened, in bytes: it is held in memory several times while it is read. */
export const MOST_BYTES = 300 * 2 ** 20;

export interface PageRecordingsOptions {
  /** Return the engine that runs a recording on; null before it is loaded. */
  engine(): Engine | null;
  /** Show the session again in place of a recording. */
  showSession(): void;
  /** Take the branches of the session away; they belong to what is no longer shown. */
  hide(): void;
  /** Write the session to a file. */
  write(): Promise<Blob>;
  deliver?: Deliver;
  decode?: DecodeFlac;
}

export class PageRecordings implements RecordingActions {
  readonly formats = ["aiw"] as const;
  readonly replays = false;
  #request = 0;
  /** The recording that is shown, and its file. */
  #shown: { recording: Recording; file: File; session: RecordedSession | null } | null = null;

  constructor(
    private readonly store: Store,
    private readonly options: PageRecordingsOptions,
  ) {}

  open(file: File): void {
    const { store } = this;
    dismissProblem(store, "recording");
    if (isRunning(store.mic.value) || isPlaying(store.file.value)) {
      this.#refuse(
        "A recording cannot be opened while audio is recorded or played.",
        "Press Stop, then open it again.",
      );
      return;
    }
    if (file.size > MOST_BYTES) {
      const [has, most] = [file.size, MOST_BYTES].map((bytes) => Math.round(bytes / 2 ** 20));
      this.#refuse(
        `${file.name} has ${has} MB; a page opens recordings of up to ${most} MB.`,
        "Open it in Python.",
      );
      return;
    }
    void this.#open(file);
  }

  close(): void {
    this.#request += 1;
    this.store.opening.value = null;
    if (!this.#shown) return;
    this.#shown.session?.close();
    this.#shown = null;
    this.options.showSession();
  }

  save(format: RecordingFormat): void {
    if (format !== "aiw" || this.store.saving.value) return;
    dismissProblem(this.store, "save");
    void this.#save();
  }

  /** Forget the file that is being written; nothing is delivered. */
  cancelSaving(): void {
    this.#request += 1;
    this.store.saving.value = null;
  }

  /** Do nothing: the page has no replay that compares, so the views do not offer it. */
  replay(): void {}

  /** Return the samples of a chunk of the shown recording; null if it has none; undefined if none is shown. */
  audio(chunk: number): Float32Array | null | undefined {
    return this.#shown ? chunkOf(this.#shown.recording, chunk) : undefined;
  }

  /** Return the shown recording as what branches are forked from; null if it cannot be; undefined if none is shown. */
  get original(): Original | null | undefined {
    return this.#shown ? this.#shown.session : undefined;
  }

  /** Offer branches of a recording that was opened before the model was loaded. */
  modelLoaded(): void {
    const { value: shown } = this.store.recording;
    if (!this.#shown || !shown) return;
    const { recording, file } = this.#shown;
    this.store.recording.value = { ...shown, refusal: this.#take(recording, file) };
  }

  /** Take over a recording; return why it cannot be run on, or null. */
  #take(recording: Recording, file: File): string | null {
    const engine = this.options.engine();
    const refusal = refusalOf(engine, recording);
    const session = engine && refusal === null ? new RecordedSession(engine, recording) : null;
    this.#shown = { recording, file, session };
    return refusal;
  }

  async #open(file: File): Promise<void> {
    const { store, options } = this;
    this.#request += 1;
    const request = this.#request;
    store.opening.value = { name: file.name, done: 0, total: file.size };
    let recording: Recording;
    try {
      const bytes = new Uint8Array(await file.arrayBuffer());
      if (request !== this.#request) return;
      store.opening.value = { name: file.name, done: file.size, total: file.size };
      recording = await readRecording(bytes, file.name, options.decode ?? decodeFlac);
    } catch (error) {
      if (request !== this.#request) return;
      store.opening.value = null;
      const sentence =
        error instanceof RecordingError ? error.message : `${file.name} cannot be read: ${String(error)}.`;
      this.#refuse(sentence, "What was shown before is still shown.");
      return;
    }
    if (request !== this.#request) return;
    options.hide();
    this.#shown?.session?.close();
    this.#show(file.name, recording, this.#take(recording, file));
  }

  #show(name: string, recording: Recording, refusal: string | null): void {
    const { store } = this;
    const vocabulary = vocabularyOf(recording.header);
    const record = emptyRecord();
    for (const event of recording.events) {
      applyEvent(record, completeEvent(event), vocabulary ?? store.vocabulary.value);
    }
    record.speaking = false;
    batch(() => {
      store.opening.value = null;
      store.recording.value = { name, facts: factsOf(recording.header), vocabulary, refusal };
      if (vocabulary) store.vocabulary.value = vocabulary;
      store.record = record;
      store.file.value = null;
      store.version.value += 1;
    });
    if (recording.lacks.length === 0) return;
    const sentence = `The recording ${name} is not complete: ${recording.lacks.join("; ")}.`;
    const wayOut = "The readable part of the recording is shown.";
    showProblem(store, { code: "salvaged", sentence, wayOut, calm: true });
  }

  async #save(): Promise<void> {
    const { store, options } = this;
    this.#request += 1;
    const request = this.#request;
    store.saving.value = { format: "aiw", name: "", done: 0, total: 0, slow: false };
    try {
      // A recording that was opened is saved as it was.
      const { file } = this.#shown ?? {};
      const blob = file ?? (await options.write());
      if (request !== this.#request) return;
      (options.deliver ?? download)(blob, file?.name ?? fileName(new Date()));
    } catch (error) {
      if (request !== this.#request) return;
      const sentence = `The recording cannot be written: ${error instanceof Error ? error.message : String(error)}`;
      showProblem(store, { code: "save", sentence, wayOut: "Nothing was lost; try again." });
    }
    store.saving.value = null;
  }

  #refuse(sentence: string, wayOut: string): void {
    showProblem(this.store, { code: "recording", sentence, wayOut });
  }
}

/** Return a name of a recording, by the time: `session-20260131-141500.aiw`. */
export function fileName(now: Date): string {
  const digits = now.toISOString().replaceAll(/[-:]/g, "").replace("T", "-").slice(0, 15);
  return `session-${digits}.aiw`;
}

/** Decode FLAC at 16 kHz, at which no browser resamples it. */
async function decodeFlac(bytes: Uint8Array): Promise<Float32Array> {
  const context = new OfflineAudioContext(1, 1, 16_000);
  // The browser takes the memory away from its owner.
  const buffer = await context.decodeAudioData(bytes.slice().buffer as ArrayBuffer);
  return buffer.getChannelData(0);
}
