/**
 * Every decision to drop or flag live audio, because of a policy or a full queue, as
 * `ai_widgets/widget/stages/admission.py`: a block is accepted, dropped, or accepted and ends the reply; a queued chunk may
 * be evicted for newer ones. No audio is dropped silently: a gap is measured while it lasts, and a notice at its place in
 * the audio reports its length when it ends. The page carries out what is decided here: it keeps the queue.
 */

import { CHUNK_SECONDS } from "../record/events";
import { levelDb } from "./chunker";

/** Chunks that may be queued under any policy (10 minutes): a sender faster than the model must not fill the memory. */
const MOST_WAITING = 1500;
/** Level in dB above which arriving audio interrupts a reply: well above a quiet room, well below speech. */
const INTERRUPT_DB = -40;

/** Settings of live audio that take effect at once (`widget/live_settings.py`). */
export interface Policies {
  /** What happens to a microphone's audio that arrives during a reply. */
  readonly arrival: "keep" | "drop" | "interrupt";
  /** What happens when `overload_chunks` wait because the model is slower than the audio. */
  readonly overload: "lag" | "drop_oldest" | "pause";
  readonly overload_chunks: number;
}

export const DEFAULT_POLICIES: Policies = { arrival: "keep", overload: "lag", overload_chunks: 50 };

/** Notice that has no place in the record yet; `EngineSession.note` records it. */
export interface PendingNotice {
  readonly kind: string;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
}

type Why = "speaking" | "overload" | "full";

const WHY: Readonly<Record<Why, string>> = {
  speaking: "the model was speaking",
  overload: "the model was slower than real time",
  full: "the queue was full",
};

/** Decision on one block. */
export interface Verdict {
  /** Whether the block is fed to the model, and the flags to add to it. */
  readonly taken: boolean;
  readonly flags: readonly string[];
  /** Whether the block interrupts the reply. */
  readonly interrupts: boolean;
  /** Notices to record before the block. */
  readonly before: readonly PendingNotice[];
  /** Sentence to show at once, since a notice is recorded only when its place in the queue is reached; or empty. */
  readonly warning: string;
}

/** Block that arrived, and the state of the loop at that time. */
export interface Arrival {
  readonly samples: Float32Array;
  readonly rate: number;
  /** The policies apply to microphones only: a file is read no faster than its chunks are decided. */
  readonly microphone: boolean;
  readonly speaking: boolean;
  /** Chunks that are queued. */
  readonly waiting: number;
  /** Whether the page sent silence in place of the microphone's sound. */
  readonly gated: boolean;
}

/** Drop policy of one session, with the gap that is open. */
export class Admission {
  private why: Why | null = null;
  private gapS = 0;
  private paused = false;
  private evictions = 0;

  /** Decide on a block. */
  judge(block: Arrival, policies: Policies): Verdict {
    const notices: PendingNotice[] = [];
    const refused = this.refusal(block, policies, notices);
    const gap = this.why !== null && refused.why !== this.why ? this.end() : [];
    const before = [...gap, ...notices];
    if (refused.why !== null) {
      this.why = refused.why;
      this.gapS += block.samples.length / block.rate;
      return { taken: false, flags: [], interrupts: false, before, warning: refused.warning };
    }
    const waited = block.microphone && block.speaking;
    const conditions = { gated: block.gated, waited, dropped: before.some(({ kind }) => kind === "dropped") };
    const flags = Object.entries(conditions).flatMap(([flag, holds]) => (holds ? [flag] : []));
    const loud = block.samples.length > 0 && levelDb(block.samples) > INTERRUPT_DB;
    const interrupts = waited && policies.arrival === "interrupt" && loud;
    return { taken: true, flags, interrupts, before, warning: "" };
  }

  /** End the open gap, if there is one, and return the notices to record. */
  end(): PendingNotice[] {
    const notices: PendingNotice[] = [];
    if (this.why !== null) notices.push(dropped(this.gapS, this.why));
    if (this.paused && this.why === "overload") {
      const message = "The model has caught up; audio is accepted again.";
      notices.push({ kind: "resumed", message, data: { why: "overload" } });
      this.paused = false;
    }
    this.why = null;
    this.gapS = 0;
    return notices;
  }

  /** Return whether a queued chunk is dropped for newer ones, and count it. Chunks of files never are. */
  evict(microphone: boolean, policies: Policies, waiting: number): boolean {
    const evicts = microphone && policies.overload === "drop_oldest" && waiting > policies.overload_chunks;
    if (evicts) this.evictions++;
    return evicts;
  }

  /** Return the notice of the queued chunks dropped since the last decided chunk, or null. */
  endEviction(): PendingNotice | null {
    const count = this.evictions;
    this.evictions = 0;
    return count > 0 ? dropped(count * CHUNK_SECONDS, "overload") : null;
  }

  private refusal(
    { microphone, speaking, waiting }: Arrival,
    policies: Policies,
    notices: PendingNotice[],
  ): { why: Why | null; warning: string } {
    if (waiting >= MOST_WAITING) {
      const minutes = ((MOST_WAITING * CHUNK_SECONDS) / 60).toFixed(0);
      const warning = `${minutes} minutes of audio are queued; new audio is dropped.`;
      return { why: "full", warning: this.why === null ? warning : "" };
    }
    if (!microphone) return { why: null, warning: "" };
    if (policies.overload === "pause") {
      const paused = this.pause(policies.overload_chunks, waiting, notices);
      if (paused.why !== null) return paused;
    }
    return { why: policies.arrival === "drop" && speaking ? "speaking" : null, warning: "" };
  }

  private pause(
    most: number,
    waiting: number,
    notices: PendingNotice[],
  ): { why: Why | null; warning: string } {
    // Hysteresis: resuming at the limit itself would switch with every chunk.
    if (this.paused) return { why: waiting > Math.floor(most / 2) ? "overload" : null, warning: "" };
    if (waiting < most) return { why: null, warning: "" };
    this.paused = true;
    const message = `${waiting} chunks are queued; audio is dropped until the model has caught up.`;
    notices.push({ kind: "paused", message, data: { why: "overload", waiting } });
    return { why: "overload", warning: message };
  }
}

/** Build the notice of dropped audio. */
function dropped(seconds: number, why: Why): PendingNotice {
  const chunks = Math.ceil(seconds / CHUNK_SECONDS - 1e-6);
  const data = { chunks, seconds: Math.round(seconds * 1e3) / 1e3, why };
  return { kind: "dropped", message: `${seconds.toFixed(1)} s of audio were dropped: ${WHY[why]}.`, data };
}
