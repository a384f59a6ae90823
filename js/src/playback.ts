/** Plays a short sound, one at a time. */
import type { Sound } from "./capture/raw-ring";
import type { Problem } from "./problem";

export const CANNOT_PLAY: Problem = {
  code: "cannot_play",
  sentence: "The browser could not play the sound.",
  wayOut: "Choose another loudspeaker, or allow this page to play sound, then press the button again.",
};

export class Playback {
  #context: AudioContext | null = null;
  #source: AudioBufferSourceNode | null = null;

  constructor(private readonly createContext: () => AudioContext = () => new AudioContext()) {}

  /** Plays instead of whatever is playing; resolves when it has ended or was replaced. */
  async play({ rate, samples }: Sound): Promise<void> {
    this.stop();
    if (samples.length === 0) return;
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
    // A context begins suspended where the page has not been clicked yet.
    await context.resume();
    if (this.#source !== source) return;
    source.start();
    await ended;
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
    void this.#context?.close();
    this.#context = null;
  }
}
