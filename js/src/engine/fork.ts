/**
 * Fork: a session that shares the past of another one up to a chunk, and decides from there on with something changed,
 * as `ai_widgets/session/fork.py`. The context of that chunk is copied where the original still holds it; otherwise the
 * tokens that the events tell are fed again.
 */

import { CHUNK_SECONDS, type Notice, type SessionEvent } from "../record/events";
import { type ChunkAudio, checkBlock, repair, sorted } from "./chunker";
import type { Context } from "./context";
import type { Forced, ForkChange, Origin } from "./engine";
import { AudioError, SessionError, SettingError } from "./errors";
import { CHUNK_SAMPLES } from "./log-mel";
import { keptAudio, Loop } from "./loop";
import { type Mark, MOST_KEPT, originOf } from "./loop-state";
import { chunkNames, notice, short } from "./notices";
import { DERIVED, type GivenChunk, replaced } from "./past";
import { SAMPLE_RATE } from "./resampler";
import { type Script, scriptAfter, scriptFrom, scriptOf } from "./script";
import { changedSettings, floatNames, type Settings } from "./settings";
import { termsOf } from "./terms";
import { emptyContext, feed } from "./turns";

/** Decisions that can be forced. */
const FORCED: readonly string[] = ["TEXT_BEGIN", "KEEP_SILENCE"];
const REBUILT =
  "The context was rebuilt from the chunks that it held, since the audio of earlier ones is no longer kept: " +
  "probabilities may differ slightly from those of the original.";

/** Fork, checked. */
interface Change {
  readonly chunk: number;
  readonly settings: Readonly<Partial<Settings>>;
  readonly force: ReadonlyMap<number, Forced>;
  readonly audio: ReadonlyMap<number, ChunkAudio<Origin>>;
}

/**
 * Return the loop of a fork, with the audio from there on pending as that of call 0, and the number of shared events. The original, which has no chunk in
 * progress, is not changed.
 *
 * @throws SessionError if there is no such chunk, or its state or audio is no longer kept.
 * @throws SettingError AudioError if a setting, a forced decision or audio is not allowed.
 */
export async function forked(loop: Loop, asked: ForkChange): Promise<{ branch: Loop; shared: number }> {
  const { model, runtime } = loop;
  const change = checked(loop, asked);
  const { known, given } = loop;
  const prompt = change.settings.system_prompt;
  const atChunk = markOf(loop, change.chunk);
  // Another system prompt is at the start of the context; other audio changes the floor of its whole clip.
  const clips = [...change.audio.keys()].flatMap((at) => {
    const whole = given?.chunks[at]?.whole;
    return whole ? [at - whole.place] : [];
  });
  const prompted = prompt !== undefined && prompt !== atChunk.settings.system_prompt;
  const first = prompted ? 0 : Math.min(change.chunk, ...clips);
  const mark = markOf(loop, first);
  const told = scriptOf(loop.record, Object.keys(loop.settings));
  // What happened to a recording after the chunks that were heard again is in the script of its session.
  const script = given ? scriptFrom(told, loop.script, loop.state.chunks) : told;
  const { settings, later } = fromThereOn(loop, mark, change, first, script);
  termsOf(model, settings);
  const others = new Map<number, ChunkAudio<Origin>>();
  const chunks = Array.from({ length: known - first }, (_, i) => {
    const at = first + i;
    const { audio, clip } = given?.chunks[at] ?? heardAgain(loop, at, script);
    const other = change.audio.get(at);
    if (!other) return { audio, clip };
    // A tail is apart from its clip.
    const flags = audio.flags.includes("tail") ? [...other.flags, "tail"] : other.flags;
    others.set(at, { ...other, flags });
    return { audio: { ...other, flags }, clip };
  });
  const branch = new Loop(model, runtime, settings, first > 0 ? mark.state : null);
  branch.script = later;
  branch.given = given && replaced(given, others);
  branch.record.push(...loop.record.slice(0, mark.events));
  branch.audio = new Map([...loop.audio].filter(([at]) => at < first));
  branch.marks = new Map([...loop.marks].filter(([at]) => at < first));
  let exact = true;
  const { window } = mark.state.progress;
  if (first > 0 && window.positions > 0) {
    let context = loop.turns.branch(window, loop.state.progress.window);
    if (!context) [context, exact] = await rebuilt(loop, mark);
    branch.turns.adopt(context, window);
  }
  branch.record.push(forkNotice(change, first, floatNames(model.manifest.settings)));
  if (!exact) branch.record.push(notice(first, "context_rebuilt", REBUILT, { used: window.positions }));
  const closing = given && known === given.chunks.length ? given.closing : !loop.state.clipOpen;
  if (chunks.length > 0) branch.feed.put({ kind: "again", chunks, closing }, 0);
  return { branch, shared: mark.events };
}

function checked(loop: Loop, { chunk, settings = {}, force = {}, audio = {} }: ForkChange): Change {
  const done = loop.known;
  if (!Number.isInteger(chunk) || chunk < 0 || chunk > done) {
    throw new SessionError(
      `A fork begins at a chunk from 0 to ${done} (${done}: after all ${done} chunks of the session), not at ${chunk}.`,
    );
  }
  changedSettings(loop.model.manifest.settings, loop.settings, settings);
  const forces = typeof force === "string" ? { [chunk]: force } : force;
  const forced = new Map(Object.entries(forces).map(([at, name]) => [Number(at), name] as const));
  for (const [at, name] of forced) {
    if (!FORCED.includes(name)) {
      throw new SettingError(`force must be one of ${FORCED.join(", ")}, not ${short(name)}.`);
    }
    if (at < chunk) {
      throw new SessionError(
        `force names chunk ${at}, before the fork at chunk ${chunk}; fork at ${at} or earlier.`,
      );
    }
  }
  const sounds = Object.entries(audio).map(([key, samples]) => {
    const at = Number(key);
    if (!(at >= chunk && at < done)) {
      throw new SessionError(
        `audio names chunk ${at}; a fork at chunk ${chunk} changes audio from chunk ${chunk} to ${done - 1}.`,
      );
    }
    return [at, replacement(loop, at, samples)] as const;
  });
  return { chunk, settings, force: forced, audio: new Map(sounds) };
}

/** Return the audio that takes the place of a chunk. */
function replacement(loop: Loop, chunk: number, samples: Float32Array | number | null): ChunkAudio<Origin> {
  const origin = originOf();
  if (samples === null) return { samples: new Float32Array(CHUNK_SAMPLES), flags: ["gated"], origin };
  const given = typeof samples === "number" ? keptAudio(loop, samples) : samples;
  checkBlock(given, SAMPLE_RATE);
  if (given.length === 0 || given.length > CHUNK_SAMPLES) {
    throw new AudioError(
      `audio[${chunk}] has ${given.length} samples; a chunk is replaced by 1 to ${CHUNK_SAMPLES} samples at 16 kHz, ` +
        "by the index of another chunk, or by null for silence.",
    );
  }
  const whole = repair(given);
  const padded = new Float32Array(CHUNK_SAMPLES);
  padded.set(whole.samples);
  const flags = [...(whole.broken ? ["repaired"] : []), ...(given.length < CHUNK_SAMPLES ? ["padded"] : [])];
  return { samples: padded, flags: sorted(flags), origin };
}

/** Return the audio of a chunk as it was heard, and its clip. */
function heardAgain(loop: Loop, chunk: number, script: Script): Pick<GivenChunk, "audio" | "clip"> {
  const { flags, clip } = chunkEvent(loop, chunk);
  const leave = script.undecided.has(chunk) ? DERIVED.filter((flag) => flag !== "unheard") : DERIVED;
  const audio = {
    samples: keptAudio(loop, chunk),
    flags: flags.filter((flag) => !leave.includes(flag)),
    origin: originOf(),
  };
  return { audio, clip };
}

/** Return the event of a chunk: the first one after its mark. */
function chunkEvent(loop: Loop, chunk: number): Extract<SessionEvent, { type: "chunk" }> {
  const event = loop.record[markOf(loop, chunk).events];
  const found =
    event?.type === "chunk" ? event : loop.record.find((e) => e.type === "chunk" && e.chunk === chunk);
  if (found?.type !== "chunk") throw new SessionError(`The record has no chunk ${chunk}.`);
  return found;
}

/** Return the mark of a chunk; that of the next chunk is made now. */
function markOf(loop: Loop, chunk: number): Mark {
  const mark = chunk === loop.state.chunks ? loop.mark() : loop.marks.get(chunk);
  if (mark) return mark;
  throw new SessionError(
    `A fork at chunk ${chunk} is out of reach: the state is kept before the newest ${MOST_KEPT} chunks ` +
      `(${(MOST_KEPT * CHUNK_SECONDS) / 60} minutes), from chunk ${loop.state.chunks - MOST_KEPT} on, and before chunk 0.`,
  );
}

/** Return the settings of the first chunk, and the script from there on. */
function fromThereOn(
  loop: Loop,
  mark: Mark,
  change: Change,
  first: number,
  script: Script,
): { settings: Settings; later: Script } {
  const schema = loop.model.manifest.settings;
  const before = changedSettings(schema, mark.settings, script.settings.get(first) ?? {});
  const later = scriptAfter(script, first, Object.keys(change.settings));
  const changes = new Map(later.settings);
  const { system_prompt } = change.settings;
  let now = change.settings;
  if (first !== change.chunk) {
    now = system_prompt === undefined ? {} : { system_prompt };
    changes.set(change.chunk, { ...changes.get(change.chunk), ...change.settings });
  }
  return {
    settings: changedSettings(schema, before, now),
    later: {
      ...later,
      settings: changes,
      force: new Map([...later.force, ...change.force]),
      undecided: new Set([...later.undecided].filter((at) => !change.audio.has(at))),
    },
  };
}

/** Build the notice that begins the fork's own events. */
function forkNotice(change: Change, first: number, floats: ReadonlySet<string>): Notice {
  const parts = [
    ...Object.entries(change.settings).map(([name, value]) => `${name} is ${short(value, floats.has(name))}`),
    ...[...new Set(change.force.values())].map((name) => {
      const forced = [...change.force].filter(([, other]) => other === name).map(([at]) => at);
      return `${chunkNames(forced)} forced to ${name}`;
    }),
    ...(change.audio.size > 0 ? [`other audio at ${chunkNames([...change.audio.keys()])}`] : []),
  ];
  const words = parts.length > 0 ? `: ${parts.join(", ")}` : "";
  return notice(first, "fork", `Fork of another session at chunk ${change.chunk}${words}.`, {
    ...{ chunk: change.chunk, first, settings: change.settings },
    ...{ force: Object.fromEntries(change.force), audio: [...change.audio.keys()] },
  });
}

/** Return the context at a mark, fed again, and whether all that had an influence on it was fed. */
async function rebuilt(loop: Loop, mark: Mark): Promise<[Context, boolean]> {
  const { window, terms } = mark.state.progress;
  const { framing } = terms;
  let events = sinceReset(loop.record.slice(0, mark.events));
  const begun = events.find((event) => event.type === "decision")?.chunk ?? 0;
  const exact = loop.marks.has(begun) && loop.audio.has(begun);
  if (!exact) {
    const oldest = window.oldest ?? 0;
    keptAudio(loop, oldest);
    events = events.filter((event) => event.chunk >= oldest && event.type !== "notice");
  }
  const context = emptyContext(loop.model, framing.limit);
  const step = (tokens: readonly number[], frames: Float32Array | null = null, framesAt = 0) =>
    feed(loop.model, loop.runtime, context, tokens, frames, framesAt);
  let due: number[] = [];
  let prefix = 0;
  for (const event of events) {
    if (event.type === "decision") {
      let opening = event.before;
      if (prefix === 0) {
        if (!exact) opening = window.prefix;
        prefix = opening.length;
      }
      context.limit = Math.max(event.limit, event.used);
      const { features } = markOf(loop, event.chunk).state;
      const { frames } = await loop.perceive(features, event.chunk, keptAudio(loop, event.chunk));
      await step([...opening, ...framing.block], frames, opening.length + framing.framesAt);
      due = [event.token];
    } else if (event.type === "token") {
      await step(due);
      due = [event.token];
    } else if (event.type === "turn" && event.ended === "TEXT_END") {
      await step(due);
    } else if (event.type === "notice" && event.kind === "context_slide") {
      context.slide(prefix, event.data.positions as number);
    }
  }
  context.limit = framing.limit;
  if (context.position !== window.positions) {
    throw new SessionError(
      `The context before chunk ${mark.state.chunks} cannot be rebuilt: the record's events give ${context.position} ` +
        `positions, the session had ${window.positions}.`,
    );
  }
  return [context, exact];
}

/** Return the events after the last reset of the context. */
function sinceReset(events: readonly SessionEvent[]): readonly SessionEvent[] {
  let first = 0;
  for (const [place, event] of events.entries()) {
    if (event.type === "notice" && event.kind === "context_reset") first = place + 1;
  }
  return events.slice(first);
}
