/**
 * The five steps of the guided tour. Each asks for one action on a real control, and is done when the record, the
 * selection or a setting says that it happened.
 */

import { CHOICE_CODES } from "../record/decision-table";
import { chunkCount } from "../record/record";
import { isPlaying } from "../store/playing";
import { isPolicy } from "../store/policy";
import type { SessionView } from "../view";

export interface TourStep {
  title: string;
  /** What is seen here, and what to do. */
  task: string;
  /** Clip that shows it without a microphone. */
  clip?: string;
  /** Test ids of the controls to use, the first of them that is shown is highlighted. */
  use: readonly string[];
  /** Test ids of the panels that show what happened. */
  see: readonly string[];
  /** Return a sentence on what happened since the step began; null before. Reads signals. */
  happened: (view: SessionView, begun: Begun) => string | null;
}

/** State at the beginning of a step. */
export interface Begun {
  chunks: number;
  /** Index of the clip that plays; −1 if none does. */
  clip: number;
  selected: number | null;
  settings: unknown;
}

export function begunAt({ selected, store }: SessionView): Begun {
  const chunks = chunkCount(store.record);
  const clip = isPlaying(store.file.peek()) ? store.record.chunks.columns.of.clip[chunks - 1] : undefined;
  return { chunks, clip: clip ?? -1, selected: selected.peek(), settings: store.settings.peek() };
}

/** Silent decisions after which the first step is done. */
const SILENT_DECISIONS = 3;
/** Level of a chunk that is called loud, in dBFS: speech into a microphone is above, a quiet room below. */
const LOUD_DB = -40;

export const STEPS: readonly TourStep[] = [
  {
    title: "Silence",
    task:
      "Sound is cut into chunks of 0.4 s. After each one the model decides: keep silent, or speak. " +
      "Press Record and be quiet, or play rain.",
    clip: "rain",
    use: ["record"],
    see: ["timeline"],
    happened({ store }) {
      const { decisions } = store.record;
      let silent = 0;
      for (let chunk = 0; chunk < decisions.length && silent < SILENT_DECISIONS; chunk++) {
        if (decisions.choiceCode(chunk) === CHOICE_CODES.KEEP_SILENCE) silent += 1;
      }
      if (silent < SILENT_DECISIONS) return null;
      return "It keeps silent: each grey cell of the lane “decision” is one KEEP_SILENCE, and p(TEXT) stays low.";
    },
  },
  {
    title: "Speech",
    task: "Now say a short sentence, such as “What is the time?”, or play two sentences.",
    clip: "speech_pause_speech",
    use: ["record"],
    see: ["timeline"],
    happened({ store }, begun) {
      const { chunks, turns } = store.record;
      const { rms_db: levels, clip } = chunks.columns.of;
      // A clip that played before this step is rain; where the model replied, someone has spoken.
      for (let chunk = turns.length > 0 ? 0 : begun.chunks; chunk < chunks.length; chunk++) {
        const level = levels[chunk];
        if (level === undefined || !(level > LOUD_DB) || clip[chunk] === begun.clip) continue;
        return `Chunk ${chunk} is loud (${level.toFixed(0)} dB): see the lanes “input” and “heard”. It still listens.`;
      }
      return null;
    },
  },
  {
    title: "Reply",
    task: "Pause after the sentence. The model has to notice the end by itself; no button tells it.",
    clip: "speech_pause_speech",
    use: ["timeline"],
    see: ["transcript"],
    happened({ store }) {
      const turn = store.record.turns.find(({ ended }) => ended !== null);
      if (!turn) return null;
      return `After chunk ${turn.chunk} it decided TEXT_BEGIN and said “${turn.text.trim()}”.`;
    },
  },
  {
    title: "Why",
    task: "Open the chunk of the reply: press its time in the transcript, or click a cell of the timeline.",
    use: ["transcript", "timeline"],
    see: ["inspector"],
    happened({ selected, store }, begun) {
      const chunk = selected.value;
      if (chunk === null || chunk === begun.selected) return null;
      const decision = store.record.decisions.get(chunk);
      if (!decision) return null;
      return isPolicy(store)
        ? `The inspector has the score and the threshold of chunk ${chunk}.`
        : `In chunk ${chunk}, p(TEXT_BEGIN) was ${decision.p_text.toFixed(3)}. The inspector has the tokens, the numbers and the draw.`;
    },
  },
  {
    title: "Change it",
    task: "Open “What if” and lower the bias, or change a setting: another rule decides otherwise.",
    use: ["what-if", "settings-toggle"],
    see: ["what-if-result", "settings-toggle"],
    happened({ flips, store }, begun) {
      const result = flips.value;
      if (result) {
        return `With this rule, ${result.changed.length} of ${store.record.decided} decisions would be different.`;
      }
      return store.settings.value === begun.settings
        ? null
        : "The changed setting applies from the next chunk on; a notice in the lane “context” says so.";
    },
  },
];

/** Return whether the step's clip may be played: one is not played into another. */
export function mayPlay({ channel, store }: SessionView): boolean {
  void store.version.value;
  return channel.ready && !channel.running && !["listening", "speaking"].includes(store.shown.value);
}
