/**
 * Replies read aloud by the browser's speech synthesis, one at a time and only on request. While `reading` holds a
 * turn, the loudspeaker talks: whoever owns the microphone decides by it what to do with the blocks it hears.
 */
import { type ReadonlySignal, type Signal, signal } from "./dom/signals";
import type { Problem } from "./problem";

/** A browser without a usable voice accepts the text and then says nothing at all; after this it is told. */
export const START_MS = 5000;
/** Some voices of Chromium fall silent after a quarter of a minute, so a reply is spoken in sentences. */
const SENTENCE = /[^.!?…。！？]+[.!?…。！？]*\s*/gu;

export const NO_SPEECH: Problem = {
  code: "no_speech",
  sentence: "This browser cannot read text aloud.",
  wayOut: "Use Chrome, Edge, Safari or Firefox, with a voice installed.",
};

/** The parts of the browser that speak; tests give others. */
export interface SpeechHost {
  readonly synthesis: SpeechSynthesis | undefined;
  utterance(text: string): SpeechSynthesisUtterance;
}

const BROWSER: SpeechHost = {
  get synthesis() {
    return globalThis.speechSynthesis;
  },
  utterance: (text) => new SpeechSynthesisUtterance(text),
};

export class Speech {
  readonly #reading: Signal<number | null> = signal(null);
  readonly #problem: Signal<Problem | null> = signal(null);
  readonly #host: SpeechHost;
  /** Utterances of the running request: the browser may collect those that nothing holds, and then tells nothing. */
  #queue: SpeechSynthesisUtterance[] = [];
  #late: ReturnType<typeof setTimeout> | undefined;

  constructor(host: SpeechHost = BROWSER) {
    this.#host = host;
  }

  /** The turn that is being read aloud, or null. */
  get reading(): ReadonlySignal<number | null> {
    return this.#reading;
  }

  /** Why the last request was not spoken, or null. */
  get problem(): ReadonlySignal<Problem | null> {
    return this.#problem;
  }

  get available(): boolean {
    return this.#host.synthesis !== undefined;
  }

  /** Reads `text`, the reply of `turn`, instead of whatever is being read. */
  start(turn: number, text: string): void {
    this.stop();
    const { synthesis } = this.#host;
    this.#problem.value = synthesis ? null : NO_SPEECH;
    const sentences = text.match(SENTENCE)?.filter((sentence) => sentence.trim()) ?? [];
    if (!synthesis || sentences.length === 0) return;
    const queue = sentences.map((sentence) => this.#host.utterance(sentence.trim()));
    this.#queue = queue;
    this.#reading.value = turn;
    // Events of a request that was replaced arrive late and mean nothing.
    const ours = () => this.#queue === queue;
    for (const utterance of queue) {
      utterance.onstart = () => {
        if (ours()) clearTimeout(this.#late);
      };
      utterance.onend = () => {
        if (ours() && utterance === queue.at(-1)) this.#end();
      };
      utterance.onerror = ({ error }) => {
        if (ours()) this.#failed(error);
      };
      synthesis.speak(utterance);
    }
    this.#late = setTimeout(() => this.#failed("silent"), START_MS);
  }

  /** Falls silent at once. */
  stop(): void {
    if (this.#queue.length === 0) return;
    this.#end();
    this.#host.synthesis?.cancel();
  }

  #end(): void {
    clearTimeout(this.#late);
    this.#queue = [];
    this.#reading.value = null;
  }

  #failed(error: string): void {
    this.stop();
    // Another page or widget spoke instead: nothing went wrong.
    if (error === "canceled" || error === "interrupted") return;
    this.#problem.value = {
      code: "speech_failed",
      sentence: `The browser did not read the reply aloud (${error}).`,
      wayOut: "Install a voice for its language in the system's settings, or try another browser.",
    };
  }
}
