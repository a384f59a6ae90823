/** The kernel's record, which a page shows that was reloaded: the kernel saves it, and the page opens it. */
import type { BrowserMessage, KernelMessage } from "../channel/messages";
import type { Buffers } from "../channel/payload";
import { FileSaver } from "../channel/saving";
import { createStore, type Store, showProblem } from "../store/store";

export interface KernelRecordOptions {
  page: string;
  post(message: BrowserMessage): void;
  /** Show the record. */
  open(file: File): void;
}

export class KernelRecord {
  /** Progress and problems of the transfer; the visible store shows a file that is saved for a person. */
  readonly #transfer = createStore("page");
  readonly #saver: FileSaver;
  readonly #stop: () => void;
  #fetched = false;

  constructor(store: Store, { page, post, open }: KernelRecordOptions) {
    const { saving, problems } = this.#transfer;
    this.#saver = new FileSaver(this.#transfer, page, post, (file, name) => open(new File([file], name)));
    const stops = [
      saving.subscribe((now) => {
        if (now)
          store.opening.value = {
            name: now.name || "record of the kernel",
            done: now.done,
            total: now.total,
          };
        else if (this.#fetched) store.opening.value = null;
      }),
      problems.subscribe(([problem]) => {
        if (!problem) return;
        const sentence = `The kernel's record cannot be shown: ${problem.sentence}`;
        showProblem(store, { code: "recording", sentence, wayOut: "It is still in w.record.", calm: true });
      }),
    ];
    this.#stop = () => {
      for (const stop of stops) stop();
    };
  }

  /** Whether the record is on its way. */
  get busy(): boolean {
    return this.#transfer.saving.value !== null;
  }

  /** Ask for the record, once in this page. */
  fetch(): void {
    if (this.#fetched) return;
    this.#fetched = true;
    this.#saver.save("aiw");
  }

  /** End a transfer that the kernel does not finish; the next one begins anew. */
  interrupt(): void {
    if (!this.busy) return;
    this.#saver.cancel();
    this.#fetched = false;
  }

  saved(message: Extract<KernelMessage, { type: "saved" }>): void {
    this.#saver.saved(message);
  }

  part(message: Extract<KernelMessage, { type: "part" }>, buffers: Buffers): void {
    this.#saver.part(message, buffers);
  }

  end(): void {
    this.#saver.end();
    this.#stop();
  }
}
