/** The clips of the package, fetched as soon as the engine runs: a kernel that is busy later sends none. */
import { CLIPS_FOLDER } from "../page/site";
import type { KernelFiles } from "./kernel-files";

const CLIP = new RegExp(`^${CLIPS_FOLDER}/(.+)\\.flac$`);

export class HeldClips {
  readonly #held = new Map<string, Promise<ArrayBuffer>>();

  constructor(private readonly files: KernelFiles) {}

  /** Fetch all clips, one after the other. */
  async fetch(): Promise<void> {
    try {
      for (const file of await this.files.names()) {
        const name = CLIP.exec(file)?.[1];
        if (name) await this.#content(name);
      }
    } catch (error) {
      // Who plays the clip gets the sentence.
      console.warn(error);
    }
  }

  /** Return a clip by its name, as a file. */
  async read(name: string): Promise<File> {
    return new File([await this.#content(name)], `${name}.flac`, { type: "audio/flac" });
  }

  #content(name: string): Promise<ArrayBuffer> {
    const held = this.#held.get(name);
    if (held) return held;
    const content = this.files.read(`${CLIPS_FOLDER}/${name}.flac`);
    this.#held.set(name, content);
    // One that failed is asked for again.
    content.catch(() => this.#held.delete(name));
    return content;
  }
}
