/** Gate of the loop: run freely, pause, or run one phase at a time, as the kernel's (`widget/stages/gate.py`). */
import type { LoopMode } from "../channel/messages";

export type Phase = "perceive" | "decide" | "respond";

/** Granted phases that may be pending: key repeat must not keep the loop running after the key is released. */
const MOST_GRANTS = 64;

export class Gate {
  mode: LoopMode = "run";
  /** Phase that runs or was run last, and its chunk; empty and −1 before the first. */
  phase: Phase | "" = "";
  chunk = -1;
  #grants = 0;
  #closed = false;
  #wake: (() => void) | null = null;

  constructor(
    /** Called when the mode, the phase or the chunk changed; in the mode `run` phases are not reported. */
    private readonly changed: () => void,
    /** Called when the loop begins to wait. */
    private readonly waits: () => void,
  ) {}

  /** Wait until a phase may begin. Returns false if the gate was closed. */
  async enter(phase: Phase, chunk: number): Promise<boolean> {
    let told = false;
    while (!this.#closed && this.mode !== "run" && this.#grants === 0) {
      if (!told) this.waits();
      told = true;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#closed) return false;
    [this.phase, this.chunk] = [phase, chunk];
    if (this.mode !== "run") {
      this.#grants -= 1;
      this.changed();
    }
    return true;
  }

  /** Set the mode; pending phases are no longer granted. */
  set(mode: LoopMode): void {
    this.mode = mode;
    this.#grants = 0;
    this.changed();
    this.#rouse();
  }

  /** Grant one phase, in the mode `step`. */
  step(): void {
    if (this.mode !== "step") return;
    this.#grants = Math.min(MOST_GRANTS, this.#grants + 1);
    this.#rouse();
  }

  /** End all waiting, for good. */
  close(): void {
    this.#closed = true;
    this.#rouse();
  }

  #rouse(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
