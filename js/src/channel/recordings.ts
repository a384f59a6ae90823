/** What a page asks of recordings: open one of its files, save what is shown, replay it with the model. */

import { finishedOf } from "../store/analyses";
import { isRunning } from "../store/mic-state";
import { isPlaying } from "../store/playing";
import { dismissProblem, type Store, showProblem } from "../store/store";
import type { Analysing } from "./channel";
import { HeldFile } from "./held-file";
import type { BrowserMessage, KernelMessage, RecordingFormat } from "./messages";
import { type Buffers, fitText } from "./payload";
import { type Deliver, FileSaver } from "./saving";

export interface RecordingsOptions {
  page: string;
  post: (message: BrowserMessage, bytes?: ArrayBuffer) => void;
  /** The next number of a stream of this page. */
  nextStream: () => number;
  deliver?: Deliver;
}

export class Recordings {
  readonly formats = ["aiw", "html"] as const;
  readonly replays = true;
  /** Analyses of what is shown. */
  readonly analysing: Analysing = {
    start: (what, settings, count) =>
      this.options.post({
        ...{ type: "analyse", what, action: "start", settings, count, page: this.options.page },
      }),
    cancel: (what) =>
      this.options.post({
        ...{ type: "analyse", what, action: "cancel", settings: {}, count: 1, page: this.options.page },
      }),
  };
  readonly #held: HeldFile;
  readonly #saver: FileSaver;

  constructor(
    private readonly store: Store,
    private readonly options: RecordingsOptions,
  ) {
    this.#held = new HeldFile(options.page, options.post);
    this.#saver = new FileSaver(store, options.page, options.post, options.deliver);
  }

  /** Whether news of the kernel may come: a host in pull mode must ask for it. */
  get busy(): boolean {
    const { opening, saving, replayed, analyses } = this.store;
    const running = [replayed.value, ...Object.values(analyses.value)].some(
      (one) => one?.state === "running",
    );
    return opening.value !== null || saving.value !== null || running;
  }

  /** Request that the kernel reads a recording of this page and shows it in place of the session. */
  open(file: File): void {
    const { store, options } = this;
    dismissProblem(store, "recording");
    if (isRunning(store.mic.value) || isPlaying(store.file.value)) {
      showProblem(store, {
        code: "recording",
        sentence: "A recording cannot be opened while audio is recorded or played.",
        wayOut: "Press Stop, then open it again.",
      });
      return;
    }
    const { page } = options;
    const name = fitText(file.name);
    const stream = options.nextStream();
    this.#held.hold(stream, file);
    store.opening.value = { name, done: 0, total: file.size };
    options.post({ type: "load", stream, name, size: file.size, page });
  }

  /** End opening a recording, or show the session again. */
  close(): void {
    this.#held.drop();
    this.options.post({ type: "unload", page: this.options.page });
  }

  save(format: RecordingFormat): void {
    this.#saver.save(format);
  }

  cancelSaving(): void {
    this.#saver.cancel();
  }

  /** Replay the shown record with the model and compare, or cancel the replay. */
  replay(action: "start" | "cancel"): void {
    this.options.post({ type: "replay", action, page: this.options.page });
  }

  needed(message: Extract<KernelMessage, { type: "need" }>): void {
    void this.#held.answer(message);
  }

  saved(message: Extract<KernelMessage, { type: "saved" }>): void {
    this.#saver.saved(message);
  }

  part(message: Extract<KernelMessage, { type: "part" }>, buffers: Buffers): void {
    this.#saver.part(message, buffers);
  }

  /** Forget all requests: no answer can arrive any more. */
  end(): void {
    this.#held.drop();
    this.#saver.end();
    this.store.opening.value = null;
    this.store.replayed.value = null;
    this.store.analyses.value = finishedOf(this.store.analyses.value);
  }
}
