/** Analyses of what is shown: progress or result of each kind, from the kernel or from an exported page. */

import type { Analysed, AnalysisKind, AnalysisState } from "../channel/messages";
import { type Onset, readOnset, readSeeds, type Seeds } from "../record/onset";

export interface AnalysisTold {
  state: Exclude<AnalysisState, "none">;
  done: number;
  total: number;
  /** Why there is no result. */
  message: string;
  onset: Onset | null;
  seeds: Seeds | null;
}

export type Analyses = Readonly<Partial<Record<AnalysisKind, AnalysisTold>>>;

/** Return the analyses with a message of the kernel taken in. */
export function withAnalysed(before: Analyses, message: Analysed): Analyses {
  const { what, state, done, total } = message;
  const { [what]: _, ...others } = before;
  if (state === "none") return others;
  const read = { onset: readOnset(message.onset), seeds: readSeeds(message.seeds) };
  return { ...others, [what]: { state, done, total, message: message.message, ...read } };
}

/** Read the results that an exported page contains. */
export function readAnalyses(value: Readonly<Record<string, unknown>>): Analyses {
  const [onset, seeds] = [readOnset(value.onset), readSeeds(value.seeds)];
  const finished = { state: "done", done: 0, total: 0, message: "" } as const;
  return {
    ...(onset && { onset: { ...finished, onset, seeds: null } }),
    ...(seeds && { seeds: { ...finished, onset: null, seeds } }),
  };
}

/** Return the finished ones: those that run get no further news from a lost kernel. */
export function finishedOf(analyses: Analyses): Analyses {
  return Object.fromEntries(Object.entries(analyses).filter(([, { state }]) => state !== "running"));
}
