/** Requests of animation frames: the next one, or a later one that several small changes share. */

/**
 * Longest delay of a change that may be batched with others, and interval between two steps of a glide, in
 * milliseconds.
 */
export const SHARED_MS = 40;

export class FrameRequests {
  #frame = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly draw: () => void) {}

  /** Draw at the next frame. */
  next(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.end();
      this.draw();
    });
  }

  /** Draw soon, together with other changes until then; earlier if a caller requests the next frame. */
  soon(): void {
    if (this.#frame === 0) this.#timer ??= setTimeout(() => this.next(), SHARED_MS);
  }

  /** Cancel all requests. */
  end(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#frame = 0;
    this.#timer = undefined;
  }
}
