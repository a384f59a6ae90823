/** What a request for a branch changes in the page's session: `ai_widgets/widget/branches/asked.py` decides the same. */

import type { ForkRequest } from "../channel/channel";
import type { Forced, ForkChange, SettingsChange } from "../engine/engine";
import { CHUNK_SAMPLES } from "../engine/log-mel";

/**
 * Return the change that the engine's session is asked for.
 *
 * @throws Error if two spans share a chunk, or a span or its samples go beyond the chunks that the session has heard.
 */
export function askedChange(request: ForkRequest, heard: number): ForkChange {
  const { chunk, span = 1, settings = {}, force, other = 0 } = request;
  const here = rangeOf(chunk, span);
  const there = rangeOf(other, span);
  const way = request.samples ? "samples" : (request.audio ?? "");
  const within = (chunks: readonly number[]) => {
    if ((chunks.at(-1) ?? 0) < heard) return;
    throw new Error(`The session has heard ${heard} chunks; ${namesOf(chunks)} goes beyond them.`);
  };
  if (force || way) within(here);
  let first = chunk;
  let audio: Record<number, Float32Array | number | null> = {};
  if (way === "mute") audio = paired(here, () => null);
  if (way === "copy" || way === "swap") {
    within(there);
    audio = paired(here, (i) => other + i);
  }
  if (way === "swap") {
    if (Math.abs(other - chunk) < span) {
      throw new Error(
        `The ${namesOf(here)} and ${namesOf(there)} share a chunk; exchange spans that do not.`,
      );
    }
    first = Math.min(chunk, other);
    audio = { ...audio, ...paired(there, (i) => chunk + i) };
  }
  if (way === "samples") {
    const { samples = new Float32Array(0) } = request;
    const filled = rangeOf(chunk, Math.ceil(samples.length / CHUNK_SAMPLES));
    within(filled);
    audio = paired(filled, (i) => samples.slice(i * CHUNK_SAMPLES, (i + 1) * CHUNK_SAMPLES));
  }
  return {
    chunk: first,
    settings: settings as SettingsChange,
    ...(force && { force: paired(here, () => force) as Record<number, Forced> }),
    ...(way && { audio }),
  };
}

/** Describe what a request changes: `bias 0.5, TEXT_BEGIN forced, muted`. */
export function changeText(request: ForkRequest): string {
  const { chunk, span = 1, settings = {}, force, other = 0, samples } = request;
  const here = namesOf(rangeOf(chunk, span));
  const there = namesOf(rangeOf(other, span));
  const parts = Object.entries(settings).map(([name, value]) => `${name} ${short(value)}`);
  if (force) parts.push(span > 1 ? `${force} forced at ${here}` : `${force} forced`);
  if (request.audio === "mute") parts.push(span > 1 ? `${here} muted` : "muted");
  if (request.audio === "swap") parts.push(`${here} and ${there} exchanged`);
  if (request.audio === "copy") parts.push(`${here} with the audio of ${there}`);
  if (samples) {
    const filled = rangeOf(chunk, Math.ceil(samples.length / CHUNK_SAMPLES));
    parts.push(`other audio at ${namesOf(filled)}`);
  }
  return parts.join(", ") || "nothing changed";
}

/** Characters of a setting's value in the head of a branch; a system prompt is longer. */
const MOST_VALUE = 40;

function short(value: unknown): string {
  const text = String(value);
  return text.length <= MOST_VALUE ? text : `${text.slice(0, MOST_VALUE)}…`;
}

function rangeOf(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

function paired<T>(chunks: readonly number[], audioOf: (index: number) => T): Record<number, T> {
  return Object.fromEntries(chunks.map((chunk, i) => [chunk, audioOf(i)]));
}

/** Name consecutive chunks. */
function namesOf(chunks: readonly number[]): string {
  return chunks.length > 1 ? `chunks ${chunks[0]} to ${chunks.at(-1)}` : `chunk ${chunks[0]}`;
}
