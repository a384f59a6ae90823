/** Plays one short sound at a time; fails with a timeout where the audio device does not start. */
import type { Problem } from "../store/problem";
import type { Sound } from "./sound";

export const CANNOT_PLAY: Problem = {
  code: "cannot_play",
  sentence: "The browser could not play the sound.",
  wayOut: "Choose another loudspeaker, or allow this page to play sound, then press the button again.",
};

/** How long a loudspeaker may take to start, and how much longer than the sound it may take to end. */
export const SLACK_MS = 3000;

export class Playback {
  #context: AudioContext | null = null;
  #source: AudioBufferSourceNode | null = null;

  constructor(private readonly createContext: () => AudioContext = () => new AudioContext()) {}

  /** Plays instead of whatever is playing; resolves when it has ended or was replaced. */
  async play({ rate, samples }: Sound): Promise<void> {
    this.stop();
    if (samples.length === 0) return;
    // Other code of the page may have closed it.
    if (this.#context?.state === "closed") this.#context = null;
    this.#context ??= this.createContext();
    const context = this.#context;
    const buffer = context.createBuffer(1, samples.length, rate);
    buffer.getChannelData(0).set(samples);
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(context.destination);
    this.#source = source;
    const ended = new Promise<void>((resolve) => {
      source.onended = () => resolve();
    });
    // A context begins suspended where the page has not been clicked yet, and then may never run.
    await within(SLACK_MS, context.resume(), "the loudspeaker does not start");
    if (this.#source !== source) return;
    source.start();
    await within((samples.length / rate) * 1000 + SLACK_MS, ended, "the sound was held up");
  }

  stop(): void {
    const source = this.#source;
    this.#source = null;
    source?.disconnect();
    source?.onended?.(new Event("ended"));
  }

  /** Gives the loudspeaker back. */
  end(): void {
    this.stop();
    // Closed already by other code of the page: then it has been given back.
    this.#context?.close().catch(() => {});
    this.#context = null;
  }
}

async function within(ms: number, promise: Promise<void>, why: string): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(why)), ms);
  });
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
