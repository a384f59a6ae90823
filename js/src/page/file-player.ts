/** Player of an audio file into the loop, in real time or as fast as the engine decides. */
import { FILE_TAIL_S } from "../capture/input";
import type { CloseReason, Pace } from "../channel/messages";
import { announced } from "../store/playing";
import { type Store, showProblem } from "../store/store";
import { AudioFileError, type DecodedFile, decodeFile } from "./audio-file";
import type { EngineLoop } from "./engine-loop";

/** Length of one piece, in seconds: a chunk, so that the position moves with the decisions. */
const PIECE_S = 0.4;
/** Interval of the pieces in real time, in milliseconds. */
const BEAT_MS = 100;
/** Longest time that is made up for after a delay, in milliseconds: browsers wake hidden pages once a second. */
const MADE_UP_MS = 1500;

export interface FilePlayerOptions {
  decode?: (file: File) => Promise<DecodedFile>;
  now?: () => number;
  wait?: (ms: number) => Promise<void>;
}

export class FilePlayer {
  /** Number of the newest play or stop; one that is older ends. */
  #request = 0;
  #paused = false;
  #resume: (() => void) | null = null;
  readonly #decode: (file: File) => Promise<DecodedFile>;
  readonly #now: () => number;
  readonly #wait: (ms: number) => Promise<void>;

  constructor(
    private readonly store: Store,
    options: FilePlayerOptions = {},
  ) {
    this.#decode = options.decode ?? decodeFile;
    this.#now = options.now ?? (() => performance.now());
    this.#wait = options.wait ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms)));
  }

  /** Play a file to the end, or until another play or stop. */
  async play(file: File, pace: Pace, page: string, loop: EngineLoop): Promise<void> {
    const { store } = this;
    this.#end();
    const request = this.#request;
    store.file.value = announced(file.name, page);
    let sound: DecodedFile;
    try {
      sound = await this.#decode(file);
    } catch (error) {
      if (request !== this.#request) return;
      this.#tell({ state: "failed" });
      const sentence =
        error instanceof AudioFileError ? error.message : `${file.name} cannot be read: ${String(error)}.`;
      showProblem(store, { code: "file", sentence, wayOut: "What was heard so far is kept." });
      return;
    }
    if (request !== this.#request) return;
    if (sound.channel > 0) {
      const sentence = `The channels of ${file.name} cancel each other, so only channel ${sound.channel} is played.`;
      showProblem(store, { code: "channels", sentence, wayOut: "", calm: true });
    }
    await this.#feed(sound, pace, loop, request);
  }

  pause(paused: boolean): void {
    if (this.#paused === paused) return;
    this.#paused = paused;
    this.#tell({ state: paused ? "paused" : "playing" });
    if (!paused) this.#resume?.();
  }

  /** End the file; resolves when what was sent of it is heard. */
  async stop(reason: CloseReason, loop: EngineLoop): Promise<void> {
    this.#end();
    if (reason !== "reset") await loop.finish(0);
  }

  #end(): void {
    this.#request += 1;
    this.#paused = false;
    this.#resume?.();
  }

  #tell(change: Partial<NonNullable<Store["file"]["value"]>>): void {
    const { file } = this.store;
    if (file.value) file.value = { ...file.value, ...change };
  }

  async #feed(
    { samples, rate, channel }: DecodedFile,
    pace: Pace,
    loop: EngineLoop,
    request: number,
  ): Promise<void> {
    const seconds = samples.length / rate;
    const flags = channel > 0 ? ["channels_cancel"] : [];
    this.#tell({ state: "playing", seconds });
    const begun = this.#now();
    let last = begun;
    let at = 0;
    while (at < samples.length) {
      await this.#untilResumed();
      if (request !== this.#request) return;
      let length = Math.round(PIECE_S * rate);
      if (pace === "realtime") {
        await this.#wait(BEAT_MS);
        if (request !== this.#request) return;
        const now = this.#now();
        length = Math.round((Math.min(MADE_UP_MS, now - last) / 1000) * rate);
        last = now;
        if (length === 0) continue;
      }
      await loop.push(samples.subarray(at, at + length), rate, { flags });
      if (request !== this.#request) return;
      at = Math.min(samples.length, at + length);
      const now = this.#now();
      // While the loop is paused or stepped, the file waits.
      if (now - last > MADE_UP_MS) last = now;
      const position_s = at / rate;
      const speed = now > begun ? position_s / ((now - begun) / 1000) : null;
      this.#tell({ position_s, speed, left_s: speed ? (seconds - position_s) / speed : null });
    }
    await loop.finish(FILE_TAIL_S);
    if (request === this.#request) this.#tell({ state: "ended", position_s: seconds });
  }

  async #untilResumed(): Promise<void> {
    while (this.#paused) {
      await new Promise<void>((resolve) => {
        this.#resume = resolve;
      });
    }
  }
}
