/**
 * Script: what happened to a session from outside its model, chunk by chunk, so that a fork repeats it, as
 * `ai_widgets/session/script.py`. Decisions and replies follow from audio, settings and seed; a change of settings, an
 * interrupt, a forced decision and a failure do not: they are read off the events.
 */

import type { Ending, SessionEvent } from "../record/events";
import type { Forced, SettingsChange } from "./engine";

/** End of a reply that the model did not choose: the reason, and the steps of the reply that came before. */
export interface Cut {
  readonly why: Ending;
  readonly steps: number;
}

export interface Script {
  /** Settings that change from a chunk on. */
  readonly settings: ReadonlyMap<number, SettingsChange>;
  readonly force: ReadonlyMap<number, Forced>;
  readonly cuts: ReadonlyMap<number, Cut>;
  /** Chunks without a decision, although the session had not ended. */
  readonly undecided: ReadonlySet<number>;
}

export const NO_SCRIPT: Script = {
  settings: new Map(),
  force: new Map(),
  cuts: new Map(),
  undecided: new Set(),
};

/** Read the script off the events of a session whose settings have these names; others belong to the page. */
export function scriptOf(events: Iterable<SessionEvent>, names: readonly string[]): Script {
  const settings = new Map<number, SettingsChange>();
  const force = new Map<number, Forced>();
  const cuts = new Map<number, Cut>();
  const undecided = new Set<number>();
  let newest = -1;
  let steps = 0;
  let ended = false;
  for (const event of events) {
    if (event.type === "chunk" && !ended) {
      undecided.add(event.chunk);
      newest = event.chunk;
    } else if (event.type === "decision") {
      undecided.delete(event.chunk);
      steps = 0;
      if (event.rule.forced) force.set(event.chunk, event.rule.forced);
    } else if (event.type === "token") {
      steps++;
    } else if (event.type === "turn" && (event.ended === "interrupted" || event.ended === "error")) {
      cuts.set(event.chunk, { why: event.ended, steps });
    } else if (event.type === "notice") {
      if (event.kind === "context_slide") steps++;
      if (event.kind === "settings") {
        const changed = Object.entries(event.data.changed ?? {}).filter(([name]) => names.includes(name));
        settings.set(event.chunk, { ...settings.get(event.chunk), ...Object.fromEntries(changed) });
      }
      if ((event.kind === "limit" || event.kind === "context_full") && "drawn" in event.data) {
        // The session ended by its own settings: this and later chunks are heard again.
        undecided.delete(newest);
        ended = true;
      }
    }
  }
  return { settings, force, cuts, undecided };
}

/**
 * Return the script for a session that continues at a chunk; its own change of settings is omitted, because the session
 * begins with it. Later changes leave the settings in `keep` alone.
 */
export function scriptAfter(script: Script, chunk: number, keep: readonly string[]): Script {
  const later = [...script.settings].flatMap(([at, changed]) => {
    if (at <= chunk) return [];
    const kept = Object.entries(changed).filter(([name]) => !keep.includes(name));
    return [[at, Object.fromEntries(kept) as SettingsChange] as const];
  });
  return { ...script, settings: new Map(later) };
}

/** Return a script until a chunk, and another one from there on. */
export function scriptFrom(before: Script, after: Script, chunk: number): Script {
  const joined = <V>(one: ReadonlyMap<number, V>, other: ReadonlyMap<number, V>) =>
    new Map([...[...one].filter(([at]) => at < chunk), ...[...other].filter(([at]) => at >= chunk)]);
  return {
    settings: joined(before.settings, after.settings),
    force: joined(before.force, after.force),
    cuts: joined(before.cuts, after.cuts),
    undecided: new Set([
      ...[...before.undecided].filter((at) => at < chunk),
      ...[...after.undecided].filter((at) => at >= chunk),
    ]),
  };
}
