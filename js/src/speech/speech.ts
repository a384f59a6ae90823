/**
 * Reading aloud of replies, one at a time: by the browser's speech synthesis on request, or as sound that Python made.
 * While `reading` has a turn, the loudspeaker is audible; the microphone's owner then mutes or keeps its blocks.
 */
import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { CANNOT_PLAY, Playback } from "../playback/playback";
import type { Sound } from "../playback/sound";
import type { Problem } from "../store/problem";
import { remember, remembered } from "../store/remembered";
import { languageName, languageOf, voiceFor } from "./language";

/**
 * Timeout of the first utterance, in milliseconds: a browser without a usable voice accepts the text and never
 * reports an error.
 */
export const START_MS = 5000;
/** Interval of the check whether a started utterance has ended without an event, in milliseconds. */
const LOOK_MS = 2000;
/** Choice of the language by the reply's own script. */
export const BY_SCRIPT = "";
const REMEMBERED = "voice_language";
const REMEMBERED_VOICE = "voice_name";
const REMEMBERED_RATE = "voice_rate";
/** Choice of the voice by the language of each sentence. */
export const BY_LANGUAGE = "";
/** Range of the speed of reading, as a multiple of the voice's own: outside, voices become unintelligible. */
export const [SLOWEST, FASTEST] = [0.5, 2];
/** Sentences: some voices of Chromium stop after 15 s, so a reply is spoken sentence by sentence. */
const SENTENCE = /[^.!?…。！？।؟]+[.!?…。！？।؟]*\s*/gu;

export const NO_SPEECH: Problem = {
  code: "no_speech",
  sentence: "This browser cannot read text aloud.",
  wayOut: "Use Chrome, Edge, Safari or Firefox, with a voice installed.",
};

/** Speech functions of the browser, replaceable in tests. */
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
  /**
   * Utterances of the running request: without a reference the browser may collect them, and then no event is fired.
   */
  #queue: SpeechSynthesisUtterance[] = [];
  #late: ReturnType<typeof setTimeout> | undefined;
  #look: ReturnType<typeof setInterval> | undefined;
  readonly #language: Signal<string>;
  readonly #voice: Signal<string> = signal(remembered(REMEMBERED_VOICE) ?? BY_LANGUAGE);
  readonly #rate: Signal<number> = signal(rateOf(remembered(REMEMBERED_RATE)));
  readonly #remark: Signal<string> = signal("");
  /** Sounds of replies to be played one after the other; the first of them plays. */
  #sounds: (Sound & { turn: number })[] = [];
  readonly #playback: Playback;

  constructor(host: SpeechHost = BROWSER, playback: Playback = new Playback()) {
    this.#host = host;
    this.#playback = playback;
    this.#language = signal(remembered(REMEMBERED) ?? BY_SCRIPT);
  }

  /** Language (BCP 47) in which replies are read, or `BY_SCRIPT`. Kept in the browser's storage. */
  get language(): ReadonlySignal<string> {
    return this.#language;
  }

  chooseLanguage(language: string): void {
    this.#language.value = language;
    remember(REMEMBERED, language);
  }

  /** Languages for which the browser has a voice, by name. Some browsers load the list only after the first request. */
  get languages(): readonly { language: string; name: string }[] {
    const found = new Set(this.#voices.map(({ lang }) => lang.replace("_", "-")));
    if (this.#language.peek()) found.add(this.#language.peek());
    return [...found]
      .map((language) => ({ language, name: languageName(language) }))
      .sort((a, b) => a.name.localeCompare(b.name));
  }

  /** Name of the voice that reads sentences of its own language, or `BY_LANGUAGE`. Kept in the browser's storage. */
  get voice(): ReadonlySignal<string> {
    return this.#voice;
  }

  chooseVoice(name: string): void {
    this.#voice.value = name;
    remember(REMEMBERED_VOICE, name);
  }

  /** Names of the browser's voices, with their languages. */
  get voiceNames(): readonly { name: string; language: string }[] {
    return this.#voices.map(({ name, lang }) => ({ name, language: languageName(lang.replace("_", "-")) }));
  }

  /** Speed of reading, as a multiple of the voice's own. Kept in the browser's storage. */
  get rate(): ReadonlySignal<number> {
    return this.#rate;
  }

  chooseRate(rate: number): void {
    this.#rate.value = rateOf(rate);
    remember(REMEMBERED_RATE, String(this.#rate.peek()));
  }

  /** Remark on the newest request, such as a missing voice for its language. */
  get remark(): ReadonlySignal<string> {
    return this.#remark;
  }

  get #voices(): readonly SpeechSynthesisVoice[] {
    return this.#host.synthesis?.getVoices?.() ?? [];
  }

  /** Turn that is being read aloud, or null. */
  get reading(): ReadonlySignal<number | null> {
    return this.#reading;
  }

  /** Reason why the last request was not spoken, or null. */
  get problem(): ReadonlySignal<Problem | null> {
    return this.#problem;
  }

  get available(): boolean {
    return this.#host.synthesis !== undefined;
  }

  /** Read `text`, the reply of `turn`, aloud, instead of what is being read. */
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
    // Late events of a replaced request are ignored.
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
    // Some browsers do not report the end, and until then the microphone would stay gated.
    this.#look = setInterval(() => {
      if (ours() && started && !synthesis.speaking && !synthesis.pending) this.#end();
    }, LOOK_MS);
  }

  /**
   * Build an utterance for each sentence, with its language and voice. A sentence without letters has the language of
   * the whole reply.
   */
  #utterances(sentences: readonly string[], text: string): SpeechSynthesisUtterance[] {
    const chosen = this.#language.peek();
    const voices = this.#voices;
    const wanted = voices.find(({ name }) => name === this.#voice.peek());
    const missing = new Set<string>();
    const queue = sentences.map((sentence) => {
      const utterance = this.#host.utterance(sentence.trim());
      utterance.rate = this.#rate.peek();
      const language = chosen || languageOf(sentence) || languageOf(text);
      if (!language) return utterance;
      utterance.lang = language;
      const voice = (wanted && voiceFor([wanted], language)) ?? voiceFor(voices, language);
      if (voice) utterance.voice = voice;
      else if (voices.length > 0) missing.add(languageName(language));
      return utterance;
    });
    const names = [...missing].join(" and ");
    this.#remark.value = names
      ? `No voice for ${names} is installed, so the browser reads it with its default voice. You can install one in the system's settings.`
      : "";
    return queue;
  }

  /** Play the sound of a reply, after those that play. It replaces a reply that the browser reads. */
  async play(turn: number, sound: Sound): Promise<void> {
    if (this.#queue.length > 0) this.stop();
    this.#sounds.push({ ...sound, turn });
    if (this.#sounds.length > 1) return;
    const sounds = this.#sounds;
    this.#problem.value = null;
    this.#remark.value = "";
    while (sounds[0] && sounds === this.#sounds) {
      this.#reading.value = sounds[0].turn;
      try {
        await this.#playback.play(sounds[0]);
      } catch (error) {
        if (sounds !== this.#sounds) return;
        this.stop();
        this.#problem.value = { ...CANNOT_PLAY, sentence: `${CANNOT_PLAY.sentence} (${String(error)})` };
        return;
      }
      sounds.shift();
    }
    if (sounds === this.#sounds) this.#reading.value = null;
  }

  /** Stop at once. */
  stop(): void {
    if (this.#sounds.length > 0) {
      this.#sounds = [];
      this.#playback.stop();
      this.#reading.value = null;
    }
    if (this.#queue.length === 0) return;
    this.#end();
    this.#host.synthesis?.cancel();
  }

  /** Stop, and release the loudspeaker. */
  end(): void {
    this.stop();
    this.#playback.end();
  }

  #end(): void {
    clearTimeout(this.#late);
    clearInterval(this.#look);
    this.#queue = [];
    this.#reading.value = null;
  }

  #failed(error: string): void {
    this.stop();
    // Another page or widget started to speak: this is no failure.
    if (error === "canceled" || error === "interrupted") return;
    this.#problem.value = {
      code: "speech_failed",
      sentence: `The browser did not read the reply aloud (${error}).`,
      wayOut: "Install a voice for its language in the system's settings, or try another browser.",
    };
  }
}

/** Return a speed of reading within its range; the voice's own for what is no number. */
function rateOf(value: unknown): number {
  const rate = value === null || value === "" ? Number.NaN : Number(value);
  return Number.isFinite(rate) ? Math.min(FASTEST, Math.max(SLOWEST, rate)) : 1;
}
