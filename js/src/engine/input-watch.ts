/**
 * Detection of faulty input, as `ai_widgets/audio/input_watch.py`: silent, faint, with a constant offset, with
 * cancelling channels, or with NaN. Each condition gives one notice when it begins and one when it ends.
 */

import { CHUNK_SECONDS, type Notice } from "../record/events";
import { rounded, sorted } from "./chunker";
import { notice } from "./notices";

/** Peak magnitude below which a chunk is faint: −60 dBFS. */
const FAINT = 1e-3;
/** Magnitude of a chunk's mean from which the offset counts as a fault. */
const DC_OFFSET = 0.03;
/** Flags of chunks that contain generated silence and are not examined. */
const SYNTHETIC = ["tail", "padded"];

type Kind = "silent_input" | "faint_input" | "dc_offset" | "channels_cancel" | "repaired";
type Figures = Readonly<Record<string, number>>;

interface Condition {
  readonly kind: Kind;
  /** Number of consecutive chunks with, or without, the condition that produce the notice. */
  readonly beginsAfter: number;
  readonly endsAfter: number;
  readonly begins: (seconds: string, mean: string) => string;
  readonly ends: (seconds: string) => string;
}

const CONDITIONS: readonly Condition[] = [
  {
    kind: "silent_input",
    beginsAfter: 25,
    endsAfter: 1,
    begins: (s) =>
      `The input has been digital silence for ${s} s: a muted device, an empty channel, or the wrong input.`,
    ends: (s) => `The input has sound again, after ${s} s of digital silence.`,
  },
  {
    kind: "faint_input",
    beginsAfter: 75,
    endsAfter: 1,
    begins: (s) =>
      `The input has stayed below −60 dBFS for ${s} s: its level is too low for the model to hear anything.`,
    ends: (s) => `The input is louder than −60 dBFS again, after ${s} s.`,
  },
  {
    kind: "dc_offset",
    beginsAfter: 5,
    endsAfter: 5,
    begins: (_, mean) =>
      `The input is shifted by a constant (${mean} of full scale), which hides quiet sounds: a fault of the device or ` +
      "its driver.",
    ends: (s) => `The input is no longer shifted by a constant, after ${s} s.`,
  },
  {
    kind: "channels_cancel",
    beginsAfter: 1,
    endsAfter: 5,
    begins: () =>
      "The channels of the input cancel when they are averaged (one is inverted): only the louder one is used.",
    ends: (s) => `The channels of the input no longer cancel, after ${s} s: they are averaged again.`,
  },
  {
    kind: "repaired",
    beginsAfter: 1,
    endsAfter: 25,
    begins: () => "The input contains samples that are NaN or infinity; they are replaced by 0.",
    ends: (s) => `The input no longer contains NaN or infinity, after ${s} s.`,
  },
];

/** Immutable state of the detection. */
export interface Watched {
  /** Consecutive chunks with a condition; negative: without a condition that has begun. */
  readonly runs: Readonly<Partial<Record<Kind, number>>>;
  /** First chunk of each condition in effect. */
  readonly begun: Readonly<Partial<Record<Kind, number>>>;
}

export const NOTHING_WATCHED: Watched = { runs: {}, begun: {} };

/** Examine the next chunk: return the next state, the flags with `dc_offset` if it applies, and the notices. */
export function watchInput(
  state: Watched,
  chunk: number,
  samples: Float32Array,
  flags: readonly string[],
): { state: Watched; flags: readonly string[]; notices: Notice[] } {
  if (flags.some((flag) => SYNTHETIC.includes(flag))) return { state, flags, notices: [] };
  let peak = 0;
  let sum = 0;
  for (const sample of samples) {
    peak = Math.max(peak, Math.abs(sample));
    sum += sample;
  }
  const mean = sum / samples.length;
  const seen: Record<Kind, boolean> = {
    silent_input: peak === 0,
    faint_input: peak < FAINT && !("silent_input" in state.begun),
    dc_offset: Math.abs(mean) >= DC_OFFSET * Math.max(1, peak),
    channels_cancel: flags.includes("channels_cancel"),
    repaired: flags.includes("repaired"),
  };
  const runs = { ...state.runs };
  const begun = { ...state.begun };
  const notices: Notice[] = [];
  const note = (kind: Kind, message: string, phase: string, figures: Figures) => {
    const data = Object.fromEntries(
      Object.entries(figures).map(([name, value]) => [name, rounded(value, 3)]),
    );
    notices.push(notice(chunk, kind, message, { phase, ...data }));
  };
  for (const { kind, beginsAfter, endsAfter, begins, ends } of CONDITIONS) {
    const since = begun[kind];
    if (since !== undefined) {
      const run = seen[kind] ? 0 : (runs[kind] ?? 0) - 1;
      runs[kind] = run;
      if (-run < endsAfter) continue;
      const lasted = (chunk - endsAfter + 1 - since) * CHUNK_SECONDS;
      delete begun[kind];
      runs[kind] = 0;
      note(kind, ends(rounded(lasted, 1).toFixed(1)), "ends", { lasted });
      continue;
    }
    const run = seen[kind] ? (runs[kind] ?? 0) + 1 : 0;
    runs[kind] = run;
    if (run < beginsAfter) continue;
    begun[kind] = chunk - beginsAfter + 1;
    runs[kind] = 0;
    const lasted = beginsAfter * CHUNK_SECONDS;
    const signed = `${mean < 0 ? "-" : "+"}${Math.abs(mean).toFixed(2)}`;
    note(kind, begins(String(rounded(lasted, 6)), signed), "begins", { begun: lasted, mean });
  }
  return { state: { runs, begun }, flags: seen.dc_offset ? sorted([...flags, "dc_offset"]) : flags, notices };
}
