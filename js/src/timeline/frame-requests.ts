/** Asks the browser for frames: the next one, or a later one that several small changes share. */

/** What may wait waits so long for company; a glide takes a step as often. */
export const SHARED_MS = 40;

export class FrameRequests {
  #frame = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly draw: () => void) {}

  /** Draws at the next frame. */
  next(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.end();
      this.draw();
    });
  }

  /** Draws soon, with whatever else has come by then; sooner where something asks for the next frame. */
  soon(): void {
    if (this.#frame === 0) this.#timer ??= setTimeout(() => this.next(), SHARED_MS);
  }

  /** Nothing that was asked for is drawn. */
  end(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#frame = 0;
    this.#timer = undefined;
  }
}
