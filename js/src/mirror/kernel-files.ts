/** The engine's files, which the kernel sends part by part: checked, unpacked, and stored for the next page. */
import type { BrowserMessage, KernelMessage } from "../channel/messages";
import { type Buffers, bytesOf, viewOf } from "../channel/payload";
import { joinedBytes } from "../page/archive";
import { FileCache } from "./file-cache";

type Offered = Extract<KernelMessage, { type: "engine_files" }>["files"][number];
type Part = Extract<KernelMessage, { type: "engine_part" }>;

/** Time without an answer after which a part is asked for again, in milliseconds; doubled each time. */
export const ASK_AGAIN_MS = 5000;
/** Most doublings of that time: a part is asked for every 80 s of a long cell. */
const MOST_DOUBLINGS = 4;

/** A file that the kernel does not send as it offered it; the message is a sentence. */
export class KernelFileError extends Error {
  override readonly name = "KernelFileError";
}

interface Transfer {
  readonly file: Offered;
  readonly parts: Uint8Array[];
  done: number;
  asked: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  resolve(content: Uint8Array<ArrayBuffer>): void;
  reject(error: KernelFileError): void;
}

export interface KernelFilesOptions {
  page: string;
  post(message: BrowserMessage): void;
  cache?: FileCache;
  /** Hashes of the browser; null on a page that is not secure, where only lengths are checked. */
  subtle?: Pick<SubtleCrypto, "digest"> | null;
}

export class KernelFiles {
  /** Receives the loaded bytes of all files that were asked for, and their total. */
  progress: (loaded: number, total: number) => void = () => {};
  readonly #offers = new Map<string, Offered>();
  #offered: (() => void)[] = [];
  #failed: string | null = null;
  readonly #transfers = new Map<string, Transfer>();
  /** Files that are being read: who asks for one again gets the same. */
  readonly #reading = new Map<string, Promise<ArrayBuffer>>();
  readonly #sizes = new Map<string, { loaded: number; total: number }>();
  readonly #cache: FileCache;
  readonly #subtle: Pick<SubtleCrypto, "digest"> | null;

  constructor(private readonly options: KernelFilesOptions) {
    this.#cache = options.cache ?? new FileCache();
    const { subtle = (globalThis.crypto?.subtle as SubtleCrypto | undefined) ?? null } = options;
    this.#subtle = subtle;
  }

  /** Whether parts are awaited. */
  get busy(): boolean {
    return this.#transfers.size > 0;
  }

  /** Take the list of the files. */
  offer(files: readonly Offered[]): void {
    this.#failed = null;
    for (const file of files) this.#offers.set(file.name, file);
    this.#wake();
  }

  /** Refuse all files from now on: the kernel cannot offer them. */
  fail(sentence: string): void {
    this.#failed = sentence;
    this.#wake();
  }

  /**
   * Return the content of a file, unpacked; waits until the kernel offers its files.
   *
   * @throws KernelFileError if there is no such file, or it arrives damaged.
   */
  read(name: string): Promise<ArrayBuffer> {
    const known = this.#reading.get(name);
    if (known) return known;
    const reading = this.#read(name).finally(() => this.#reading.delete(name));
    this.#reading.set(name, reading);
    return reading;
  }

  /**
   * Return the names of the files, when the kernel offers them.
   *
   * @throws KernelFileError if it cannot.
   */
  async names(): Promise<readonly string[]> {
    while (this.#offers.size === 0 && this.#failed === null) {
      await new Promise<void>((resolve) => this.#offered.push(resolve));
    }
    if (this.#failed !== null) throw new KernelFileError(this.#failed);
    return [...this.#offers.keys()];
  }

  async #read(name: string): Promise<ArrayBuffer> {
    await this.names();
    const file = this.#offers.get(name);
    if (!file) throw new KernelFileError(`The kernel has no file ${name} for the engine of this page.`);
    this.#count(name, 0, file.bytes);
    const content = (await this.#stored(file)) ?? (await this.#fetched(file));
    this.#count(name, file.bytes, file.bytes);
    return file.gzip ? unpacked(content, name) : content;
  }

  /** Take a part of a file. */
  part({ page, name, offset, last, ok, data }: Part, buffers: Buffers): void {
    const transfer = this.#transfers.get(name);
    if (page !== this.options.page || !transfer || offset !== transfer.done) return;
    const view = viewOf(buffers[0]) ?? (typeof data === "string" ? viewOf(bytesOf(data)) : null);
    if (!ok || !view || view.byteLength === 0) {
      this.#settle(transfer, new KernelFileError(`The kernel has sent no part of its file ${name}.`));
      return;
    }
    // A copy: the host may use its buffer again.
    transfer.parts.push(new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice());
    transfer.done += view.byteLength;
    transfer.asked = 0;
    const { bytes } = transfer.file;
    if (transfer.done > bytes || (last && transfer.done < bytes)) {
      this.#settle(transfer, new KernelFileError(lengthSentence(name, transfer.done, bytes)));
    } else if (transfer.done < bytes) {
      this.#count(name, transfer.done, bytes);
      this.#ask(transfer);
    } else this.#settle(transfer, joinedBytes(transfer.parts));
  }

  /** Stop asking; the page is closed. */
  end(): void {
    for (const { timer } of this.#transfers.values()) clearTimeout(timer);
    this.#transfers.clear();
  }

  #wake(): void {
    for (const resolve of this.#offered.splice(0)) resolve();
  }

  async #stored(file: Offered): Promise<ArrayBuffer | null> {
    const content = await this.#cache.get(file.sha256);
    if (content === null) return null;
    if (content.byteLength === file.bytes && (await this.#matches(content, file))) return content;
    // Other scripts of this host may write there.
    await this.#cache.remove(file.sha256);
    return null;
  }

  async #fetched(file: Offered): Promise<ArrayBuffer> {
    const bytes = await new Promise<Uint8Array<ArrayBuffer>>((resolve, reject) => {
      const transfer: Transfer = { file, parts: [], done: 0, asked: 0, timer: undefined, resolve, reject };
      this.#transfers.set(file.name, transfer);
      this.#ask(transfer);
    });
    const content = bytes.buffer;
    if (!(await this.#matches(content, file))) {
      throw new KernelFileError(
        `The file ${file.name} has changed on its way from the kernel: its SHA-256 is another one.`,
      );
    }
    await this.#cache.put(file.sha256, content);
    return content;
  }

  #ask(transfer: Transfer): void {
    clearTimeout(transfer.timer);
    const { file, done, asked } = transfer;
    transfer.asked += 1;
    transfer.timer = setTimeout(
      () => this.#ask(transfer),
      ASK_AGAIN_MS * 2 ** Math.min(asked, MOST_DOUBLINGS),
    );
    this.options.post({ type: "engine_file", page: this.options.page, name: file.name, offset: done });
  }

  #settle(transfer: Transfer, found: Uint8Array<ArrayBuffer> | KernelFileError): void {
    clearTimeout(transfer.timer);
    this.#transfers.delete(transfer.file.name);
    if (found instanceof KernelFileError) transfer.reject(found);
    else transfer.resolve(found);
  }

  #count(name: string, loaded: number, total: number): void {
    this.#sizes.set(name, { loaded, total });
    const all = [...this.#sizes.values()];
    const sum = (key: "loaded" | "total") => all.reduce((whole, size) => whole + size[key], 0);
    this.progress(sum("loaded"), sum("total"));
  }

  async #matches(content: ArrayBuffer, { sha256 }: Offered): Promise<boolean> {
    if (!this.#subtle) return true;
    const digest = new Uint8Array(await this.#subtle.digest("SHA-256", content));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === sha256.toLowerCase();
  }
}

function lengthSentence(name: string, found: number, expected: number): string {
  return `The file ${name} has ${found} bytes in place of the ${expected} that the kernel offered.`;
}

async function unpacked(content: ArrayBuffer, name: string): Promise<ArrayBuffer> {
  try {
    const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream("gzip"));
    return await new Response(stream).arrayBuffer();
  } catch (error) {
    throw new KernelFileError(`The file ${name} from the kernel cannot be unpacked: ${String(error)}.`);
  }
}
