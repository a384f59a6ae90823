/** Notices of a session, and how a value is written in one: the sentences of Python, character by character. */

import type { Notice } from "../record/events";

/** Most characters of a setting's value, and of an error's message, in a notice; a longer one is truncated. */
const LONGEST_VALUE = 60;
const LONGEST_ERROR = 300;

export function notice(
  chunk: number,
  kind: string,
  message: string,
  data: Readonly<Record<string, unknown>> = {},
): Notice {
  return { type: "notice", chunk, kind, message, data };
}

/** Build the notice of a chunk that an error left without a decision. */
export function undecided(chunk: number, error: unknown): Notice {
  const name = error instanceof Error ? error.name : "Error";
  const why = `${name}: ${error instanceof Error ? error.message : String(error)}`;
  const message = `This chunk has no decision and is not in the context: ${why.slice(0, LONGEST_ERROR)}`;
  return notice(chunk, "undecided", message, { error: name });
}

/** Write a number as Python does; `float` for a setting that is not a whole number, which has a point. */
export function number(value: number, float: boolean): string {
  if (!float || !Number.isFinite(value)) return String(value);
  const magnitude = Math.abs(value);
  if (value !== 0 && (magnitude < 1e-4 || magnitude >= 1e16)) {
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** Write a setting's value for a sentence. */
export function short(value: unknown, float = false): string {
  let text = String(value);
  if (value === null) text = "the default";
  else if (typeof value === "boolean") text = value ? "True" : "False";
  else if (typeof value === "number") text = number(value, float);
  return text.length <= LONGEST_VALUE ? text : `${text.slice(0, LONGEST_VALUE)}…`;
}

/** Runs of chunks that a sentence names; others are counted. */
const MOST_RUNS = 4;

/** Name chunks, consecutive ones as a run, as `ai_widgets/record/chunk_names.py`: `chunks 3 to 5, 9`. */
export function chunkNames(chunks: readonly number[]): string {
  const given = [...new Set(chunks)].sort((a, b) => a - b);
  const runs: number[][] = [];
  for (const chunk of given) {
    const run = runs.at(-1);
    if (run && chunk === (run.at(-1) as number) + 1) run.push(chunk);
    else runs.push([chunk]);
  }
  const names = runs
    .slice(0, MOST_RUNS)
    .map((run) => (run.length === 1 ? `${run[0]}` : `${run[0]} to ${run.at(-1)}`));
  const left = runs.slice(MOST_RUNS).reduce((sum, run) => sum + run.length, 0);
  return `chunk${given.length > 1 ? "s" : ""} ${names.join(", ")}${left > 0 ? ` and ${left} others` : ""}`;
}
