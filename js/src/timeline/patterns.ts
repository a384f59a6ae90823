/** Fill patterns, because colour alone must not carry meaning: lines and dots, drawn once per palette and scale. */
import type { ColourName, Palette } from "./palette";

export type PatternName = "waited" | "padded" | "gated" | "dropped" | "late" | "other";

const COLOURS: Record<PatternName, ColourName> = {
  waited: "hatch",
  padded: "silent-mark",
  gated: "focus",
  dropped: "bad",
  late: "late",
  other: "hatch",
};

/** Side of a pattern in CSS pixels; the width of a tile is a multiple of it. */
export const PATTERN_PX = 6;

/** Compute the side of a pattern in device pixels, a whole number. */
export function patternSide(scale: number): number {
  return PATTERN_PX * Math.max(1, Math.round(scale));
}

export class Patterns {
  readonly #made = new Map<PatternName, CanvasPattern | string>();

  constructor(
    private readonly context: CanvasRenderingContext2D,
    private readonly palette: Palette,
    readonly scale: number,
  ) {}

  /** Return a pattern to fill with, or its plain colour if the canvas cannot create one. */
  of(name: PatternName): CanvasPattern | string {
    let made = this.#made.get(name);
    if (!made) {
      made = this.#make(name) ?? this.palette[COLOURS[name]];
      this.#made.set(name, made);
    }
    return made;
  }

  #make(name: PatternName): CanvasPattern | null {
    const tile = document.createElement("canvas");
    const side = patternSide(this.scale);
    tile.width = side;
    tile.height = side;
    const pen = tile.getContext("2d");
    if (!pen) return null;
    pen.scale(side / PATTERN_PX, side / PATTERN_PX);
    pen.strokeStyle = pen.fillStyle = this.palette[COLOURS[name]];
    pen.lineWidth = 1.2;
    pen.beginPath();
    draw[name](pen);
    pen.stroke();
    const pattern = this.context.createPattern(tile, "repeat");
    // The tile has device pixels, the canvas draws in CSS pixels.
    pattern?.setTransform(new DOMMatrix().scale(1 / this.scale));
    return pattern;
  }
}

type Pen = CanvasRenderingContext2D;

function rising(pen: Pen): void {
  for (const shift of [-PATTERN_PX, 0, PATTERN_PX]) {
    pen.moveTo(shift - 1, PATTERN_PX + 1);
    pen.lineTo(shift + PATTERN_PX + 1, -1);
  }
}

function falling(pen: Pen): void {
  for (const shift of [-PATTERN_PX, 0, PATTERN_PX]) {
    pen.moveTo(shift - 1, -1);
    pen.lineTo(shift + PATTERN_PX + 1, PATTERN_PX + 1);
  }
}

function lines(pen: Pen): void {
  for (const y of [1.5, 4.5]) {
    pen.moveTo(0, y);
    pen.lineTo(PATTERN_PX, y);
  }
}

function dots(pen: Pen): void {
  for (const [x, y] of [
    [1.5, 1.5],
    [4.5, 4.5],
  ] as const) {
    pen.fillRect(x - 0.8, y - 0.8, 1.6, 1.6);
  }
}

const draw: Record<PatternName, (pen: Pen) => void> = {
  waited: rising,
  padded: falling,
  gated: lines,
  dropped: (pen) => {
    rising(pen);
    falling(pen);
  },
  late: dots,
  other: dots,
};
