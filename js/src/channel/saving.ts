/** A file that the kernel writes and this page takes part by part, one request at a time, and hands to the browser. */

import { dismissProblem, type Store, showProblem } from "../store/store";
import type { BrowserMessage, KernelMessage, RecordingFormat } from "./messages";
import { type Buffers, bytesOf, viewOf } from "./payload";

/** After this long without an answer the kernel is said to be busy, and a part is asked for again. */
export const SLOW_MS = 5000;
/** How long a browser may take to begin to write a file. */
const REVOKE_MS = 60_000;

export type Deliver = (file: Blob, name: string) => void;

export class FileSaver {
  #request = 0;
  #parts: BlobPart[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly store: Store,
    private readonly page: string,
    private readonly post: (message: BrowserMessage) => void,
    private readonly deliver: Deliver = download,
  ) {}

  save(format: RecordingFormat): void {
    const { store, page } = this;
    if (store.saving.value) return;
    dismissProblem(store, "save");
    this.#request = requestNumber();
    this.#parts = [];
    store.saving.value = { format, name: "", done: 0, total: 0, slow: false };
    this.#wait(() => {});
    this.post({ type: "save", format, request: this.#request, page });
  }

  cancel(): void {
    if (!this.store.saving.value) return;
    this.#release();
  }

  saved({ request, page, name, size, note, problem }: Extract<KernelMessage, { type: "saved" }>): void {
    const { saving } = this.store;
    if (!saving.value || request !== this.#request || page !== this.page) return;
    if (problem) {
      this.#failed(problem);
      return;
    }
    if (note) showProblem(this.store, { code: "save", sentence: note, wayOut: "", calm: true });
    saving.value = { ...saving.value, name, total: size };
    this.#ask();
  }

  part(
    { request, page, offset, ok, data }: Extract<KernelMessage, { type: "part" }>,
    buffers: Buffers,
  ): void {
    const { saving } = this.store;
    const now = saving.value;
    if (!now || request !== this.#request || page !== this.page || offset !== now.done) return;
    const view = viewOf(buffers[0]) ?? (typeof data === "string" ? viewOf(bytesOf(data)) : null);
    if (!ok || !view || view.byteLength === 0) {
      this.#failed("The kernel no longer holds the saved file.");
      return;
    }
    // A copy: the host may use its buffer again.
    this.#parts.push(new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice());
    saving.value = { ...now, done: now.done + view.byteLength, slow: false };
    if (saving.value.done < now.total) {
      this.#ask();
      return;
    }
    const type = now.format === "html" ? "text/html" : "application/vnd.ai-widgets.recording+zip";
    const file = new Blob(this.#parts, { type });
    this.#release();
    this.deliver(file, now.name);
  }

  /** Cancel saving: the kernel is gone. */
  end(): void {
    clearTimeout(this.#timer);
    this.#parts = [];
    this.store.saving.value = null;
  }

  #ask(): void {
    const offset = this.store.saving.value?.done ?? 0;
    // Messages are lost when a connection breaks.
    this.#wait(() => this.#ask());
    this.post({ type: "part", request: this.#request, offset, page: this.page });
  }

  #wait(then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const { saving } = this.store;
      if (saving.value) saving.value = { ...saving.value, slow: true };
      then();
    }, SLOW_MS);
  }

  #failed(sentence: string): void {
    this.end();
    showProblem(this.store, { code: "save", sentence, wayOut: "" });
  }

  #release(): void {
    this.post({ type: "release", request: this.#request, page: this.page });
    this.end();
  }
}

/** Pass a file to the browser, which saves it or asks where. */
export function download(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_MS);
}

/** Return a random first number: all pages of a widget receive each other's answers. */
function requestNumber(): number {
  return 1 + (crypto.getRandomValues(new Uint32Array(1))[0] as number);
}
