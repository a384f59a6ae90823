/** A canvas as wide as its place on the page, in device pixels, drawn on in CSS pixels. */
export class Layer {
  readonly context: CanvasRenderingContext2D | null;
  width = 0;
  scale = 1;

  constructor(readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext("2d");
  }

  /** Read the width of the canvas's place on the page. */
  measure(): number {
    this.width = this.canvas.clientWidth;
    return this.width;
  }

  /** Set the canvas to its size on the present screen; return whether the size changed, which clears the canvas. */
  fit(height: number): boolean {
    const { canvas, width } = this;
    const before = this.scale;
    this.scale = globalThis.devicePixelRatio || 1;
    const [wide, tall] = [Math.round(width * this.scale), Math.round(height * this.scale)];
    const changed = canvas.width !== wide || canvas.height !== tall;
    if (changed) {
      canvas.width = wide;
      canvas.height = tall;
    }
    // Assigning the same value would still repaint the canvas.
    if (changed || this.scale !== before) this.context?.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    return changed;
  }
}

/** Draw with clipping to a rectangle. */
export function drawWithin(
  context: CanvasRenderingContext2D,
  [x, y, width, height]: readonly [number, number, number, number],
  draw: () => void,
): void {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  draw();
  context.restore();
}
