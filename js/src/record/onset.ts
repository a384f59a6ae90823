/**
 * Onset curve and raster of seeds, and a sentence about each. `ai_widgets/analysis` computes the same; tests compare
 * both with `tests/vectors/onset.json`.
 */

import { isObject } from "../text/json";
import { decided } from "./decision-rule";
import type { DecisionTable } from "./decision-table";
import { CHUNK_SECONDS } from "./events";
import { changedSettings, recordedAt, ruleOf, type WhatIf } from "./what-if";

type Settings = Readonly<Record<string, unknown>>;

/** Probabilities of a session that has kept silent until each chunk. */
export interface Onset {
  /** Settings that differ from the record's. */
  settings: Settings;
  chunk: readonly number[];
  /** Probability of a reply after the chunk if there was none before. */
  hazard: readonly number[];
  /** Probability that the first reply comes after the chunk. */
  first: readonly number[];
  /** Probability of no reply at all. */
  never: number;
}

/** Decisions on the same audio under several seeds. */
export interface Seeds {
  settings: Settings;
  seeds: readonly number[];
  /** By seed, the chunks after which a reply began, in order. */
  begun: readonly (readonly number[])[];
}

export function onsetOf(chunk: readonly number[], hazard: readonly number[], settings: Settings): Onset {
  let never = 1;
  const first = hazard.map((p) => {
    const here = never * p;
    never *= 1 - p;
    return here;
  });
  return { settings, chunk, hazard, first, never };
}

/** Return whether a record has decisions and no reply, so that the curve follows from its numbers without a run. */
export function isSilent(decisions: DecisionTable): boolean {
  let any = false;
  for (let chunk = 0; chunk < decisions.length; chunk++) {
    const choice = decisions.choiceOf(chunk);
    if (choice && choice !== "KEEP_SILENCE") return false;
    any ||= choice !== null;
  }
  return any;
}

/** Compute the curve of a record without replies under a changed rule; null if its numbers do not determine it. */
export function onsetOfSilent(decisions: DecisionTable, changes: WhatIf): Onset | null {
  if (!isSilent(decisions)) return null;
  const chunks: number[] = [];
  const hazard: number[] = [];
  for (let chunk = 0; chunk < decisions.length; chunk++) {
    if (!decisions.has(chunk)) continue;
    const { p_text } = decided(recordedAt(decisions, chunk), ruleOf(decisions.rule(chunk), changes));
    if (p_text === null) return null;
    chunks.push(chunk);
    hazard.push(p_text);
  }
  return onsetOf(chunks, hazard, changedSettings(decisions.rule(decisions.length - 1), changes));
}

export function onsetText({ chunk, first, never }: Onset): string {
  const most = Math.max(0, ...first);
  if (most === 0) return `No reply comes in any of ${chunk.length} chunks.`;
  const peak = first.indexOf(most);
  let said = `The first reply most likely comes after ${place(chunk[peak])}: ${percent(most)}`;
  let sum = 0;
  const half = first.findIndex((p) => {
    sum += p;
    return sum >= 0.5;
  });
  if (half >= 0) said += `; half of all sessions have replied by ${place(chunk[half])}`;
  return `${said}; ${percent(never)} never reply.`;
}

export function seedsText({ begun }: Seeds): string {
  const firsts = begun.flatMap(([first]) => (first === undefined ? [] : [first]));
  const count = begun.length;
  if (firsts.length === 0) return `No reply comes with any of ${count} seeds.`;
  const times = (chunk: number) => firsts.filter((other) => other === chunk).length;
  const sorted = [...new Set(firsts)].sort((a, b) => times(b) - times(a) || a - b);
  const common = sorted[0] as number;
  let said = `${count === 1 ? "The seed replies" : `All ${count} seeds reply`} first after ${place(common)}`;
  const most = times(common);
  if (most < count && most === firsts.length) {
    said = `${most} of ${count} seeds ${most > 1 ? "reply, all" : "replies,"} first after ${place(common)}`;
  } else if (most < count) {
    const [from, to] = [place(Math.min(...firsts)), place(Math.max(...firsts))];
    said = `${firsts.length} of ${count} seeds reply: first from ${from} to ${to}`;
    if (most > 1) said += `, most often after ${place(common)}, ${most} times`;
  }
  const same = count > 1 && new Set(begun.map(String)).size === 1;
  return same ? `${said}; all replies begin at the same chunks.` : `${said}.`;
}

/** Name a chunk with the time at its end, when its decision falls. */
function place(chunk = 0): string {
  return `chunk ${chunk} (${((chunk + 1) * CHUNK_SECONDS).toFixed(1)} s)`;
}

function percent(p: number): string {
  return `${(100 * p).toFixed(1)}\u00a0%`;
}

/** Read the numbers of an onset curve from JSON; null if they are none. */
export function readOnset(value: unknown): Onset | null {
  if (!isObject(value) || !isNumbers(value.chunk) || !isNumbers(value.hazard)) return null;
  return onsetOf(value.chunk, value.hazard, isObject(value.settings) ? value.settings : {});
}

/** Read a raster of seeds from JSON; null if it is none. */
export function readSeeds(value: unknown): Seeds | null {
  if (!isObject(value) || !isNumbers(value.seeds)) return null;
  const { seeds, begun } = value;
  if (!Array.isArray(begun) || begun.length !== seeds.length || !begun.every(isNumbers)) return null;
  return { settings: isObject(value.settings) ? value.settings : {}, seeds, begun };
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => typeof one === "number");
}
