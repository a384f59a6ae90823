/** Blocks of the page's microphone on their way to the loop: taken, flagged or dropped by the policies. */
import type { BrowserMessage } from "../channel/messages";
import { Admission, type PendingNotice, type Policies } from "../engine/admission";
import { MOST_KEPT } from "../engine/loop-state";
import { CHUNK_SECONDS, type SessionEvent } from "../record/events";
import { NOTHING_COUNTED } from "../store/settings";
import { type Store, showProblem } from "../store/store";
import type { EngineLoop } from "./engine-loop";

type Block = Extract<BrowserMessage, { type: "block" }>;

export class LiveAudio {
  #admission = new Admission();

  constructor(private readonly store: Store) {}

  /** Forget the gap of a session that ends. */
  begin(): void {
    this.#admission = new Admission();
    this.store.counters.value = NOTHING_COUNTED;
  }

  /** Judge a block, and queue it if it is taken. Returns whether it is. */
  take(loop: EngineLoop, message: Block, samples: Float32Array): boolean {
    const { store } = this;
    const arrived_ms = Date.now();
    const { stream, seq, rate, captured_ms, gated } = message;
    const { speaking } = loop.session;
    const block = { samples, rate, microphone: true, speaking, waiting: loop.waiting, gated };
    // The page declares the policies among its live settings.
    const policies = store.live.value as unknown as Policies;
    const { taken, flags, interrupts, before, warning } = this.#admission.judge(block, policies);
    this.#note(loop, before);
    if (warning) showProblem(store, { code: "overload", sentence: warning, wayOut: "", calm: true });
    if (!taken) return false;
    if (interrupts) loop.session.interrupt();
    const age_ms = Math.max(0, arrived_ms - captured_ms);
    void loop.push(samples, rate, { stream, seq, microphone: true, arrived_ms, age_ms, flags });
    return true;
  }

  /** End the recording: the open gap is told, and the last chunk is padded. */
  end(loop: EngineLoop): void {
    this.#note(loop, this.#admission.end());
    void loop.finish(0);
  }

  /** Count the audio that the notices among events say was dropped, and that the engine no longer keeps. */
  count(events: readonly SessionEvent[], chunks: number): void {
    const { counters } = this.store;
    const discarded_s = Math.max(0, chunks - MOST_KEPT) * CHUNK_SECONDS;
    if (discarded_s > counters.value.discarded_s) counters.value = { ...counters.value, discarded_s };
    for (const event of events) {
      if (event.type !== "notice" || event.kind !== "dropped") continue;
      const { dropped_chunks, dropped_s } = counters.value;
      counters.value = {
        ...counters.value,
        dropped_chunks: dropped_chunks + (Number(event.data.chunks) || 0),
        dropped_s: dropped_s + (Number(event.data.seconds) || 0),
      };
    }
  }

  #note(loop: EngineLoop, notices: readonly PendingNotice[]): void {
    for (const notice of notices) void loop.note(notice);
  }
}
