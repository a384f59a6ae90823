/** Player of one short sound at a time, with timeouts for an audio device that does not start. */
import type { Problem } from "../store/problem";
import type { Sound } from "./sound";

export const CANNOT_PLAY: Problem = {
  code: "cannot_play",
  sentence: "The browser could not play the sound.",
  wayOut: "Choose another loudspeaker, or allow this page to play sound, then press the button again.",
};

/** Timeout of the loudspeaker's start, and of the end beyond the sound's length, in milliseconds. */
export const SLACK_MS = 3000;

export class Playback {
  #context: AudioContext | null = null;
  #source: AudioBufferSourceNode | null = null;

  constructor(private readonly createContext: () => AudioContext = () => new AudioContext()) {}

  /** Play a sound instead of the one that plays; resolves when it has ended or was replaced. */
  async play({ rate, samples }: Sound): Promise<void> {
    this.stop();
    if (samples.length === 0) return;
    // Other code of the page may have closed the context.
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
    // A context begins suspended if the user has not clicked in the page, and then may never run.
    await within(SLACK_MS, context.resume(), "the loudspeaker does not start");
    if (this.#source !== source) return;
    source.start();
    await within((samples.length / rate) * 1000 + SLACK_MS, ended, "the sound did not end in time");
  }

  stop(): void {
    const source = this.#source;
    this.#source = null;
    source?.disconnect();
    source?.onended?.(new Event("ended"));
  }

  /** Release the loudspeaker. */
  end(): void {
    this.stop();
    // If other code of the page has closed the context, it is already released.
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
