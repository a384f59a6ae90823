/**
 * Loop of a session: perceive, decide, respond, one step at a time, as `ai_widgets/session/loop.py`. The state is one
 * immutable value; each step computes the next one with its events, and commits both together. After an error the state
 * is consistent, and the record says which chunk has no decision.
 */

import { CHUNK_SECONDS, type Chunk, type Decision, type Notice, type SessionEvent } from "../record/events";
import { appendBounded } from "../record/reduced";
import { type ChunkAudio, envelope, levelDb } from "./chunker";
import type { Forced, Origin } from "./engine";
import { SessionError } from "./errors";
import { Feed, type Piece } from "./feed";
import { watchInput } from "./input-watch";
import { type FeaturesState, LogMel, thumbnail } from "./log-mel";
import { firstState, type Mark, MOST_KEPT, now, type State, timingOf, type Work } from "./loop-state";
import { notice, short, undecided } from "./notices";
import type { Given, GivenChunk } from "./past";
import { makeRoom } from "./room";
import type { Runtime } from "./runtime";
import { NO_SCRIPT, type Script } from "./script";
import { changedSettings, floatNames, type Settings } from "./settings";
import type { Model } from "./terms";
import type { TurnState } from "./turn-state";
import { changed, startOf, Turns } from "./turns";

/** Delay from capture to decision, in milliseconds, above which a chunk of a microphone is flagged `late`. */
const LATE_MS = CHUNK_SECONDS * 1e3;
const DISCARDED = `Audio older than ${(MOST_KEPT * CHUNK_SECONDS) / 60} minutes is discarded from this chunk on. All events are kept.`;

/** Chunk as the model perceives it. */
export interface Heard {
  readonly frames: Float32Array;
  readonly mel: string;
  readonly features: FeaturesState;
  readonly featuresMs: number;
  readonly towerMs: number;
}

export class Loop {
  readonly feed = new Feed();
  readonly record: SessionEvent[] = [];
  readonly turns: Turns;
  /** Audio of the newest chunks, and the states before them and before chunk 0. */
  audio = new Map<number, Float32Array>();
  marks = new Map<number, Mark>();
  state: State;
  script: Script = NO_SCRIPT;
  /** Chunks of a recording that is heard again. */
  given: Given | null = null;
  /** Called after each event was appended, with the number of the call that brought its audio. */
  onEvent: (call: number) => void = () => {};
  /** Call whose audio is being processed. */
  private call = 0;
  private readonly logMel: LogMel;

  constructor(
    readonly model: Model,
    readonly runtime: Runtime,
    /** Settings that apply from the next chunk on. */
    public settings: Settings,
    state: State | null = null,
  ) {
    this.state = state ?? firstState(startOf(model, settings));
    this.turns = Turns.of(model, runtime, this.state.progress.terms.framing.limit);
    this.logMel = new LogMel({
      starts: model.manifest.features.filters.map(([first]) => first),
      weights: model.manifest.features.filters.map(([, weights]) => Float64Array.from(weights)),
    });
  }

  /** Return the state before the next chunk. No chunk may be in progress. */
  mark(): Mark {
    return { state: { ...this.state, work: null }, settings: this.settings, events: this.record.length };
  }

  /** Return whether audio of a call, or of an earlier one, is not decided completely. */
  isBusy(call: number): boolean {
    return (this.state.work !== null && this.call <= call) || this.feed.isBusy(call);
  }

  /**
   * Run the next step; return false if nothing is pending.
   *
   * @throws Error of the model. A chunk that caused an error is skipped with a notice; a reply in progress ends.
   */
  async advance(): Promise<boolean> {
    this.turns.settle(this.state.progress);
    try {
      return await this.next();
    } catch (error) {
      await this.recover(error);
      throw error;
    }
  }

  /** End the reply in progress, and drop pending audio with a notice of its length. */
  close(): void {
    const { work } = this.state;
    let seconds = this.feed.pending(true);
    if (work?.decision === null) seconds += CHUNK_SECONDS;
    if (work?.decision) {
      const [progress, events] = this.turns.cut(this.state.progress, "interrupted");
      this.commit([...events, timingOf(work)], { progress });
    }
    this.feed.drop();
    const chunk = Math.max(0, this.state.chunks - 1);
    const message = `The session was closed: ${seconds.toFixed(2)} s of audio were dropped without a decision.`;
    const data = { seconds: Math.round(seconds * 1e3) / 1e3, why: "closed" };
    this.commit(seconds > 0 ? [notice(chunk, "dropped", message, data)] : [], { work: null });
    this.turns.release();
  }

  /** Number of chunks whose audio is known: those heard, and those of a recording that will be heard again. */
  get known(): number {
    return Math.max(this.state.chunks, this.given?.chunks.length ?? 0);
  }

  /** Perceive a chunk that follows a state of the features; one of a recording as it was perceived then. */
  async perceive(features: FeaturesState, chunk: number, samples: Float32Array): Promise<Heard> {
    const started = performance.now();
    const { whole, lead } = this.given?.chunks[chunk] ?? { whole: null, lead: null };
    const { mels, state } = whole
      ? { mels: whole.clip.mels(this.logMel, whole.place), state: features }
      : this.logMel.push(lead?.state ?? features, samples);
    const between = performance.now();
    const frames = await this.runtime.tower(mels);
    return {
      ...{ frames, mel: thumbnail(mels), features: state },
      ...{ featuresMs: between - started, towerMs: performance.now() - between },
    };
  }

  private commit(events: readonly SessionEvent[], changes: Partial<State>): void {
    this.state = { ...this.state, ...changes };
    for (const event of events) {
      appendBounded(this.record, event);
      this.onEvent(this.call);
    }
  }

  private async next(): Promise<boolean> {
    if (this.state.work) {
      await this.goOn(this.state.work);
      return true;
    }
    const piece = this.feed.next();
    if (!piece) return false;
    this.call = piece.call;
    if (piece.kind === "end") {
      this.feed.take();
      this.commit([], { clip: this.state.clip + Number(this.state.clipOpen), clipOpen: false });
    } else if (piece.kind === "note") {
      const { kind, message, data } = piece.notice;
      this.feed.take();
      this.commit([notice(Math.max(0, this.state.chunks - 1), kind, message, data)], {});
    } else {
      const started = now();
      // A chunk that could not be perceived in the original is not perceived in its fork.
      const lost = piece.audio.flags.includes("unheard");
      const heard = lost
        ? null
        : await this.perceive(this.state.features, this.state.chunks, piece.audio.samples);
      this.begin(piece, heard, started, null);
    }
    return true;
  }

  /**
   * Commit a perceived chunk and make room for it in the context.
   *
   * @param heard Null after a failure, `failed`; the chunk is then recorded as `unheard`.
   * @param started Unix time at which its features were begun, in milliseconds.
   */
  private begin(
    piece: Extract<Piece, { kind: "chunk" }>,
    heard: Heard | null,
    started: number,
    failed: unknown,
  ): void {
    const { state, script } = this;
    const chunk = state.chunks;
    const { samples, origin } = piece.audio;
    const clip = piece.clip ?? state.clip;
    const begun = performance.now();
    const perceived = heard ? heard.featuresMs + heard.towerMs : 0;
    // Audio that is not from a microphone has no deadline, so that its time in queues does not make it late.
    const queued = origin.microphone ? Math.max(0, now() - origin.arrived_ms - perceived) : 0;
    const notices: Notice[] = this.keepAudio(chunk, samples);
    let { progress } = state;
    const decided = heard !== null && !script.undecided.has(chunk);
    const before = this.mark();
    if (decided) {
      const [changed, told] = this.takeSettings(progress, chunk);
      const [ready, made] = makeRoom(changed, chunk);
      progress = ready;
      notices.push(...told, ...made);
    }
    const seen = watchInput(state.watch, chunk, samples, piece.audio.flags);
    notices.push(...seen.notices);
    const unheard = !decided || progress.ended !== null;
    const late = origin.microphone && queued + origin.age_ms > LATE_MS ? ["late"] : [];
    const flags = [...seen.flags, ...late];
    if (unheard && !flags.includes("unheard")) flags.push("unheard");
    if (failed !== null) notices.push(undecided(chunk, failed));
    const event = chunkEvent(chunk, clip, piece.audio, flags, heard, this.given?.chunks[chunk]);
    const times = {
      ...{
        features: heard?.featuresMs ?? 0,
        tower: heard?.towerMs ?? 0,
        decide: performance.now() - begun,
        reply: 0,
      },
      ...{ queued, waited: Math.max(0, started - origin.arrived_ms), decided: 0 },
    };
    const work: Work | null =
      unheard || !heard
        ? null
        : { chunk, clip, frames: heard.frames, origin, decision: null, steps: 0, times };
    this.feed.take();
    this.keepMark(chunk, before);
    this.commit([event, ...notices], {
      ...{ progress, work, chunks: chunk + 1, watch: seen.state },
      ...{ clip, clipOpen: true, features: heard?.features ?? state.features },
    });
  }

  /** Continue the chunk in progress: decide, produce the next reply token, or complete the chunk. */
  private async goOn(work: Work): Promise<void> {
    const { progress } = this.state;
    const started = performance.now();
    const spent = () => performance.now() - started;
    if (work.decision === null) {
      const forced: Forced | null = this.script.force.get(work.chunk) ?? null;
      const [after, decision] = await this.turns.decide(progress, work.chunk, work.clip, work.frames, forced);
      const times = { ...work.times, decide: work.times.decide + spent(), decided: now() };
      this.commit([decision], { progress: after, work: { ...work, decision, times } });
    } else if (progress.reply) {
      const cut = this.script.cuts.get(work.chunk);
      const [after, events] =
        cut?.steps === work.steps ? this.turns.cut(progress, cut.why) : await this.turns.speak(progress);
      const times = { ...work.times, reply: work.times.reply + spent() };
      this.commit(events, { progress: after, work: { ...work, times, steps: work.steps + 1 } });
    } else {
      this.commit([...this.violations(work.decision), timingOf(work)], { work: null });
    }
  }

  private violations(decision: Decision): Notice[] {
    return decision.choice === "OTHER" ? [this.turns.violation(decision, this.state.progress)] : [];
  }

  /** End the reply or the chunk that cannot continue after an error. */
  private async recover(error: unknown): Promise<void> {
    const { work, progress } = this.state;
    const piece = this.feed.next();
    if (work?.decision) {
      const [after, events] = this.turns.cut(progress, "error");
      this.commit([...events, timingOf(work)], { progress: after, work: null });
    } else if (work) {
      this.commit([undecided(work.chunk, error)], { work: null });
    } else if (piece?.kind === "chunk") {
      this.begin(piece, null, now(), error);
    }
    this.turns.settle(this.state.progress);
  }

  /** Apply settings that changed since the last chunk, with a notice. */
  private takeSettings(progress: TurnState, chunk: number): readonly [TurnState, Notice[]] {
    const schema = this.model.manifest.settings;
    const again = this.script.settings.get(chunk);
    if (again) this.settings = changedSettings(schema, this.settings, again);
    const before = progress.terms.settings;
    const names = schema.map((each) => each.name as keyof Settings);
    const different = names.filter((name) => before[name] !== this.settings[name]);
    if (different.length === 0) return [progress, []];
    const floats = floatNames(schema);
    const words = different.map((name) => `${name} is ${short(this.settings[name], floats.has(name))}`);
    const values = Object.fromEntries(different.map((name) => [name, this.settings[name]]));
    const message = `Settings changed from this chunk on: ${words.join(", ")}.`;
    const told = notice(chunk, "settings", message, { changed: values, settings: this.settings });
    return [changed(this.model, progress, this.settings), [told]];
  }

  /** Keep the audio of a chunk, and discard the oldest; the first time with a notice. */
  private keepAudio(chunk: number, samples: Float32Array): Notice[] {
    this.audio.set(chunk, samples);
    if (!this.audio.delete(chunk - MOST_KEPT) || chunk > MOST_KEPT) return [];
    return [notice(chunk, "audio_discarded", DISCARDED, { seconds: MOST_KEPT * CHUNK_SECONDS })];
  }

  private keepMark(chunk: number, mark: Mark): void {
    this.marks.set(chunk, mark);
    if (chunk > MOST_KEPT) this.marks.delete(chunk - MOST_KEPT);
  }
}

function chunkEvent(
  chunk: number,
  clip: number,
  { samples }: ChunkAudio<Origin>,
  flags: readonly string[],
  heard: Heard | null,
  given: GivenChunk | undefined,
): Chunk {
  return {
    ...{ type: "chunk", chunk, clip, start_s: chunk * CHUNK_SECONDS },
    ...{ rms_db: levelDb(samples), envelope: envelope(samples), flags },
    ...{ mel: heard?.mel ?? "", floor: given?.whole ? "clip" : "running", lead: given?.lead?.text ?? "" },
  };
}

/** Return the samples of a chunk that a session keeps. */
export function keptAudio(loop: Loop, chunk: number): Float32Array {
  const samples = loop.audio.get(chunk) ?? loop.given?.chunks[chunk]?.audio.samples;
  if (samples) return samples;
  throw new SessionError(
    `The audio of chunk ${chunk} is not kept, so it cannot be heard again: a session keeps the newest ten minutes.`,
  );
}
