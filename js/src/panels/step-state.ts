/** Step mode of one view: stepping of the kernel's loop or of a replay of the record, and the guessing game. */
import {
  batch,
  computed,
  effect,
  type ReadonlySignal,
  type Signal,
  signal,
  untracked,
} from "@preact/signals";
import { chunkCount } from "../record/record";
import { hideFrom, NOTHING_HIDDEN } from "../store/hidden";
import type { SessionView } from "../view";
import { type Game, gameAt, guessed, isGuessed, NO_SCORE, revealed } from "./predict";
import { type Cursor, canReplay, hiddenAfter, isPhase, nextOf } from "./step-walk";

/** What the steps move: the kernel's loop, or a replay. */
export type StepSource = "kernel" | "replay";

export class StepState {
  readonly source: Signal<StepSource> = signal("kernel");
  readonly predicting: Signal<boolean> = signal(false);
  readonly game: Signal<Game> = signal(gameAt(0));
  /** Position in the loop of the kernel or of the replay. */
  readonly cursor: ReadonlySignal<Cursor>;
  /** Sentence on why no step can be run now; empty if one can. */
  readonly hindered: ReadonlySignal<string>;
  readonly #replay: Signal<Cursor> = signal({ chunk: 0, phase: "" });
  readonly #ends: (() => void)[] = [];
  /** Position that the timeline was moved to last; a person may scroll away meanwhile. */
  #shown = "";
  /** Chunk that step mode, not a person, selected. */
  #picked: number | null = null;
  #opened = false;

  constructor(private readonly view: SessionView) {
    const { store } = view;
    this.cursor = computed(() => {
      if (this.source.value === "replay") return this.#replay.value;
      void store.version.value;
      const { chunk, phase } = store.loop.value;
      if (phase === "" || !isPhase(phase)) return { chunk: store.record.decisions.length, phase: "" };
      return { chunk, phase };
    });
    this.hindered = computed(() => this.#hindrance());
    this.#ends.push(
      effect(() => this.#open(view.stepping.value)),
      effect(() => this.#reveal()),
      effect(() => this.#hide()),
      effect(() => this.#bringIntoSight()),
    );
  }

  end(): void {
    for (const end of this.#ends) end();
    this.#open(false);
    hideFrom(this.view.hiddenFrom, NOTHING_HIDDEN);
  }

  get next(): Cursor {
    void this.view.store.version.value;
    return nextOf(this.cursor.value, this.view.store.record);
  }

  /** Whether a kernel with a loop is connected. */
  get connected(): boolean {
    const { line, saved } = this.view.store;
    return line.value === "ready" && !saved.value;
  }

  /** Whether a guess is required before the next reveal. */
  get guessDue(): boolean {
    if (!this.predicting.value || isGuessed(this.game.value)) return false;
    const { store } = this.view;
    void store.version.value;
    const { next } = this.game.value;
    const { chunk, phase } = this.next;
    return (
      (phase === "decide" && chunk === next) ||
      (this.source.value === "kernel" && store.record.decisions.has(next))
    );
  }

  /** Run the next phase. */
  advance(): void {
    if (this.hindered.value) return;
    if (this.source.value === "kernel") {
      this.view.channel.step();
      return;
    }
    const to = this.next;
    const decision = to.phase === "decide" ? this.view.store.record.decisions.get(to.chunk) : undefined;
    batch(() => {
      if (decision && this.predicting.value) {
        this.game.value = revealed(this.game.value, decision.choice === "TEXT_BEGIN");
      }
      if (to.chunk > this.game.value.next) this.game.value = { ...this.game.value, next: to.chunk };
      this.#replay.value = to;
    });
  }

  /** Set a guess: the model speaks `ahead` chunks after the next one, or (null) keeps silent. */
  guess(ahead: number | null): void {
    if (this.predicting.value) this.game.value = guessed(this.game.value, ahead);
  }

  /** Switch between the kernel's loop and a replay from the selected chunk. */
  use(source: StepSource): void {
    const { view } = this;
    batch(() => {
      this.source.value = source;
      if (source === "replay") this.#replay.value = { chunk: this.#replayStart(), phase: "" };
      this.#beginGame();
    });
    if (this.connected) view.channel.loop(source === "kernel" ? "step" : "run");
  }

  predict(on: boolean): void {
    batch(() => {
      this.predicting.value = on;
      this.#beginGame();
    });
  }

  forgetScore(): void {
    this.game.value = { ...this.game.value, score: NO_SCORE, last: null };
  }

  #open(open: boolean): void {
    untracked(() => {
      if (open === this.#opened) return;
      this.#opened = open;
      this.#shown = "";
      if (open) this.use(this.connected ? "kernel" : "replay");
      else if (this.connected) this.view.channel.loop("run");
    });
  }

  /** Start the game at the first decision that was not shown. */
  #beginGame(): void {
    const { record } = this.view.store;
    const { chunk, phase } = this.cursor.value;
    const ahead =
      this.source.value === "kernel"
        ? record.decisions.length
        : phase === "perceive" || phase === ""
          ? chunk
          : chunk + 1;
    this.game.value = gameAt(ahead, this.game.value.score);
  }

  /** Return the chunk that a person selected, else the first. */
  #replayStart(): number {
    const { selected, store } = this.view;
    const chunk = selected.value ?? 0;
    return chunk !== this.#picked && chunk < store.record.decisions.length ? chunk : 0;
  }

  /** Reveal the kernel's decision once it has been made and there is a guess. */
  #reveal(): void {
    const { store, stepping } = this.view;
    void store.version.value;
    if (!stepping.value || !this.predicting.value || this.source.value !== "kernel") return;
    let game = this.game.value;
    const { decisions } = store.record;
    // Another session begins at the first chunk.
    if (decisions.length === 0 && game.next > 0) game = gameAt(0, game.score);
    while (game.next < decisions.length) {
      const decision = decisions.get(game.next);
      // A dropped chunk never gets a decision.
      if (!decision) game = { ...game, next: game.next + 1 };
      else if (isGuessed(game)) game = revealed(game, decision.choice === "TEXT_BEGIN");
      else break;
    }
    this.game.value = game;
  }

  #hide(): void {
    const { hiddenFrom, stepping } = this.view;
    if (!stepping.value) hideFrom(hiddenFrom, NOTHING_HIDDEN);
    else if (this.source.value === "replay") hideFrom(hiddenFrom, hiddenAfter(this.#replay.value));
    else if (this.predicting.value) {
      const { next } = this.game.value;
      hideFrom(hiddenFrom, { decision: next, reply: next });
    } else hideFrom(hiddenFrom, NOTHING_HIDDEN);
  }

  #bringIntoSight(): void {
    const { store, stepping, selected } = this.view;
    void store.version.value;
    const { chunk, phase } = this.cursor.value;
    const key = `${this.source.value}/${chunk}`;
    if (!stepping.value || phase === "" || key === this.#shown || chunk >= chunkCount(store.record)) return;
    this.#shown = key;
    untracked(() => {
      this.view.token.value = null;
      this.view.showChunk(chunk);
      selected.value = chunk;
      this.#picked = chunk;
    });
  }

  #hindrance(): string {
    const { store } = this.view;
    void store.version.value;
    const to = this.next;
    if (this.guessDue) return "First guess what the model will do.";
    if (this.source.value === "replay") {
      if (canReplay(to, store.record)) return "";
      return chunkCount(store.record) === 0
        ? "Nothing has been heard yet: first record something, or choose a file."
        : "This is the last decided chunk.";
    }
    if (!this.connected) {
      return store.runsIn === "kernel"
        ? "There is no kernel to step; replay what was heard instead."
        : "The model is not loaded yet; replay what was heard instead.";
    }
    const waiting = Math.max(store.waiting.value, store.loop.value.waiting, store.counters.value.waiting);
    if (to.phase === "perceive" && waiting === 0) {
      return "No chunk is waiting: record, or choose a file. Chunks that arrive wait until the next step.";
    }
    return "";
  }
}
