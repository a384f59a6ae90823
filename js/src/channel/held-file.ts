/**
 * The file that this page plays. The kernel decodes it and asks for the bytes it needs, range by range; so the page
 * holds one range at a time, however long the file is, and sends no faster than the kernel reads.
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

  /** Answers for this file from now on, under the number of its stream. */
  hold(stream: number, file: Blob): void {
    this.#stream = stream;
    this.#file = file;
  }

  drop(): void {
    this.#file = null;
  }

  /** Sends the bytes that the kernel asks for, or why they cannot be read: the file may be gone or changed by now. */
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
    // It may have been dropped while the disk was read.
    if (file === this.#file) this.post({ type: "bytes", stream, offset, problem, page }, bytes);
  }
}
