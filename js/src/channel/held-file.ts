/**
 * File that this page plays. The kernel decodes it and requests the bytes range by range, so that the page reads one
 * range at a time, whatever the file's length, and sends no faster than the kernel reads.
 */
import type { BrowserMessage, KernelMessage } from "./messages";

type Need = Extract<KernelMessage, { type: "need" }>;

export class HeldFile {
  #file: Blob | null = null;
  #stream = 0;

  constructor(
    private readonly page: string,
    private readonly post: (message: BrowserMessage, bytes?: ArrayBuffer) => void,
  ) {}

  /** Answer requests for this file from now on, under the number of its stream. */
  hold(stream: number, file: Blob): void {
    this.#stream = stream;
    this.#file = file;
  }

  drop(): void {
    this.#file = null;
  }

  /**
   * Send the bytes that the kernel requests, or the reason why they cannot be read: the file may have been deleted or
   * changed.
   */
  async answer({ stream, offset, length }: Need): Promise<void> {
    const file = this.#file;
    if (!file || stream !== this.#stream) return;
    const { page } = this;
    let bytes: ArrayBuffer | undefined;
    let problem = "";
    try {
      bytes = await file.slice(offset, offset + length).arrayBuffer();
    } catch (error) {
      problem = error instanceof Error ? error.name : String(error);
    }
    // The file may have been dropped while the disk was read.
    if (file === this.#file) this.post({ type: "bytes", stream, offset, problem, page }, bytes);
  }
}
