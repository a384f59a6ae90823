/**
 * Replies read aloud by the browser's speech synthesis, one at a time and only on request. While `reading` holds a
 * turn, the loudspeaker is audible; the owner of the microphone mutes or keeps its blocks by that.
 */
import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Problem } from "../store/problem";
import { languageName, languageOf, voiceFor } from "./language";
import { remember, remembered } from "./remembered";

/** A browser without a usable voice accepts the text and then says nothing at all; after this it is told. */
export const START_MS = 5000;
/** A voice that has started and that the browser no longer counts as speaking has ended without a word. */
const LOOK_MS = 2000;
/** The choice of a language by the reply's own script. */
export const BY_SCRIPT = "";
const REMEMBERED = "voice_language";
/** Some voices of Chromium fall silent after a quarter of a minute, so a reply is spoken in sentences. */
const SENTENCE = /[^.!?…。！？।؟]+[.!?…。！？।؟]*\s*/gu;

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
  #look: ReturnType<typeof setInterval> | undefined;
  readonly #language: Signal<string>;
  readonly #remark: Signal<string> = signal("");

  constructor(host: SpeechHost = BROWSER) {
    this.#host = host;
    this.#language = signal(remembered(REMEMBERED) ?? BY_SCRIPT);
  }

  /** The language (BCP 47) in which replies are read, or `BY_SCRIPT`. The page remembers it. */
  get language(): ReadonlySignal<string> {
    return this.#language;
  }

  chooseLanguage(language: string): void {
    this.#language.value = language;
    remember(REMEMBERED, language);
  }

  /** Languages for which the browser has a voice, by name. Some browsers fill the list only when first asked. */
  get languages(): readonly { language: string; name: string }[] {
    const found = new Set(this.#voices.map(({ lang }) => lang.replace("_", "-")));
    if (this.#language.peek()) found.add(this.#language.peek());
    return [...found]
      .map((language) => ({ language, name: languageName(language) }))
      .sort((a, b) => a.name.localeCompare(b.name));
  }

  /** What a listener should know of the newest request, such as that no voice speaks its language. */
  get remark(): ReadonlySignal<string> {
    return this.#remark;
  }

  get #voices(): readonly SpeechSynthesisVoice[] {
    return this.#host.synthesis?.getVoices?.() ?? [];
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
    const queue = this.#utterances(sentences, text);
    this.#queue = queue;
    this.#reading.value = turn;
    let started = false;
    // Events of a request that was replaced arrive late and mean nothing.
    const ours = () => this.#queue === queue;
    for (const utterance of queue) {
      utterance.onstart = () => {
        started = true;
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
    // Some browsers forget to tell the end; while it is not told, the microphone stays gated.
    this.#look = setInterval(() => {
      if (ours() && started && !synthesis.speaking && !synthesis.pending) this.#end();
    }, LOOK_MS);
  }

  /** A sentence each, with its language and a voice of it. A sentence without letters goes with the reply. */
  #utterances(sentences: readonly string[], text: string): SpeechSynthesisUtterance[] {
    const chosen = this.#language.peek();
    const voices = this.#voices;
    const missing = new Set<string>();
    const queue = sentences.map((sentence) => {
      const utterance = this.#host.utterance(sentence.trim());
      const language = chosen || languageOf(sentence) || languageOf(text);
      if (!language) return utterance;
      utterance.lang = language;
      const voice = voiceFor(voices, language);
      if (voice) utterance.voice = voice;
      else if (voices.length > 0) missing.add(languageName(language));
      return utterance;
    });
    const names = [...missing].join(" and ");
    this.#remark.value = names
      ? `No voice for ${names} is installed, so the browser's own choice reads it; the system's settings can add one.`
      : "";
    return queue;
  }

  /** Falls silent at once. */
  stop(): void {
    if (this.#queue.length === 0) return;
    this.#end();
    this.#host.synthesis?.cancel();
  }

  #end(): void {
    clearTimeout(this.#late);
    clearInterval(this.#look);
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
