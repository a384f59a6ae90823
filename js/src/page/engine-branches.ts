/**
 * Forks of the page's session, or of the recording that is shown. They run one at a time, beside the session, which the
 * engine serves between their steps.
 */
import type { Branching, ForkRequest } from "../channel/channel";
import type { BranchState } from "../channel/messages";
import type { EngineSession } from "../engine/engine";
import { differences, differsAt } from "../record/branch-difference";
import type { SessionEvent } from "../record/events";
import type { Branch } from "../store/branch";
import { addBranchEvents, takeBranch } from "../store/branches";
import { type Store, showProblem } from "../store/store";
import { askedChange, changeText } from "./asked-change";
import type { Original } from "./recorded-session";

/** Branches that are kept: as many as can be compared on one screen below the original (`widget/branches`). */
const MOST_BRANCHES = 4;
/** Longest time that events are collected before the page shows them, in milliseconds. */
const SHOW_MS = 50;

export class EngineBranches implements Branching {
  #count = 0;
  #queue: Promise<void> = Promise.resolve();
  /** Numbers of the branches that are to run, or run. */
  readonly #live = new Set<number>();
  /** The session's branches while a recording is shown in place of it; null while the session is shown. */
  #aside: readonly Branch[] | null = null;

  constructor(
    private readonly store: Store,
    /** Returns what is shown, if it can be forked. */
    private readonly original: () => Original | null,
  ) {}

  fork(request: ForkRequest): void {
    const { store } = this;
    const original = this.original();
    if (!original) return;
    this.#count += 1;
    const told: BranchState = {
      type: "branch",
      branch: this.#count,
      request: 0,
      chunk: request.audio === "swap" ? Math.min(request.chunk, request.other ?? 0) : request.chunk,
      until: request.until ?? null,
      changed: changeText(request),
      state: "queued",
      first_difference: "",
      differs_at: null,
      message: "",
    };
    takeBranch(store, told);
    this.#live.add(told.branch);
    const [oldest] = store.branches.value;
    if (store.branches.value.length > MOST_BRANCHES && oldest) {
      const { branch, chunk } = oldest.told;
      this.drop(branch);
      const sentence = `Branch ${branch} (chunk ${chunk}) was closed: at most ${MOST_BRANCHES} branches are kept.`;
      showProblem(store, { code: "branch_closed", sentence, wayOut: "", calm: true });
    }
    this.#queue = this.#queue.then(() => this.#run(original, request, told));
  }

  drop(branch: number): void {
    this.#live.delete(branch);
    const known = this.store.branches.value.find(({ told }) => told.branch === branch);
    if (known) takeBranch(this.store, { ...known.told, state: "dropped" });
  }

  /** Drop all branches: their session ends. */
  clear(): void {
    this.#live.clear();
    this.#aside = null;
    this.store.branches.value = [];
  }

  /** Put the session's branches aside while a recording is shown, or show them again; a recording's own are dropped. */
  hide(hidden: boolean): void {
    const { branches } = this.store;
    const own = this.#aside ?? branches.value;
    if (this.#aside) for (const { told } of branches.value) this.#live.delete(told.branch);
    branches.value = hidden ? [] : own;
    this.#aside = hidden ? own : null;
  }

  async #run(original: Original, request: ForkRequest, told: BranchState): Promise<void> {
    const { branch } = told;
    if (!this.#live.has(branch)) return;
    const last = request.until ?? original.chunks - 1;
    let fork: EngineSession | null = null;
    let state: BranchState["state"] = "done";
    let message = "";
    try {
      const change = askedChange(request, original.chunks);
      this.#tell(branch, { state: "running" });
      const made = await original.fork(change, {
        wanted: () => this.#live.has(branch),
        told: (sentence) => this.#tell(branch, { message: sentence }),
      });
      if (!made) return;
      fork = made.session;
      message = made.message;
      state = await this.#runOn(branch, fork, last);
    } catch (error) {
      state = "failed";
      message = error instanceof Error ? error.message : String(error);
    }
    this.#live.delete(branch);
    this.#tell(branch, { state, message, ...this.#difference(branch, last) });
    await fork?.close().catch(() => {
      // The engine is gone; the branch keeps what it decided.
    });
  }

  async #runOn(branch: number, fork: EngineSession, last: number): Promise<BranchState["state"]> {
    let [first, shown] = [0, performance.now()];
    let fresh: SessionEvent[] = [];
    const show = () => {
      const message = { type: "branch_events", branch, first, events: fresh } as const;
      addBranchEvents(this.store, message, this.#all);
      [first, fresh, shown] = [first + fresh.length, [], performance.now()];
    };
    for await (const event of fork.runOn()) {
      if (!this.#live.has(branch)) return "cancelled";
      if (event.chunk > last) break;
      fresh.push(event);
      if (performance.now() - shown >= SHOW_MS) show();
    }
    show();
    return "done";
  }

  /** All branches, shown or aside. */
  get #all(): readonly Branch[] {
    return [...this.store.branches.value, ...(this.#aside ?? [])];
  }

  #tell(branch: number, change: Partial<BranchState>): void {
    const known = this.store.branches.value.find(({ told }) => told.branch === branch);
    if (known) takeBranch(this.store, { ...known.told, ...change });
    this.#aside =
      this.#aside?.map((each) =>
        each.told.branch === branch ? { ...each, told: { ...each.told, ...change } } : each,
      ) ?? null;
  }

  #difference(branch: number, last: number): Pick<BranchState, "first_difference" | "differs_at"> {
    const { record, branches } = this.store;
    const known = branches.value.find(({ told }) => told.branch === branch);
    const chunks = known ? differences(record, known.record, known.told.chunk) : [];
    const chunk = chunks.find((each) => each <= last);
    if (chunk === undefined || !known) return { first_difference: "", differs_at: null };
    const [was, now] = [record.decisions.choiceOf(chunk), known.record.decisions.choiceOf(chunk)];
    const decision = differsAt(record, known.record, chunk) === "decision";
    const what = decision ? `decision, choice: ${was} → ${now}` : "reply, another text";
    return { first_difference: `chunk ${chunk}, ${what}`, differs_at: chunk };
  }
}
