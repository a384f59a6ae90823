/** Colours and fonts of the canvas, read from the CSS custom properties of the root. */

import { LATENCY_PARTS } from "../record/latency-table";

const NAMES = [
  "bg",
  "text",
  "muted",
  "line",
  "accent",
  "accent-soft",
  "on-accent",
  "silent",
  "silent-mark",
  "wave",
  "wave-core",
  "clip",
  "hatch",
  "focus",
  "focus-soft",
  "bad",
  "late",
  "other-soft",
  "mel-low",
  "mel-mid",
  "mel-high",
  ...LATENCY_PARTS.map((part) => `part-${part}` as const),
] as const;

export type ColourName = (typeof NAMES)[number];
export type Palette = Record<ColourName | "font" | "mono", string>;

export function readPalette(root: Element): Palette {
  const style = getComputedStyle(root);
  const declared = (name: string, otherwise: string) =>
    style.getPropertyValue(`--aiw-${name}`).trim() || otherwise;
  const colours = Object.fromEntries(NAMES.map((name) => [name, declared(name, "#888")]));
  return {
    ...(colours as Record<ColourName, string>),
    font: style.fontFamily || "sans-serif",
    mono: declared("mono", "monospace"),
  };
}

/** Return red, green, blue and alpha (0…255) of any colour that a canvas accepts. */
export function colourBytes(colour: string): readonly number[] {
  const point = document.createElement("canvas");
  point.width = 1;
  point.height = 1;
  const pen = point.getContext("2d", { willReadFrequently: true });
  if (!pen) return [136, 136, 136, 255];
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  return [...pen.getImageData(0, 0, 1, 1).data];
}

/** Compute 256 colours from `low` over `mid` to `high`, as RGBA bytes. */
export function ramp(low: string, mid: string, high: string): Uint8ClampedArray {
  const stops = [low, mid, high].map(colourBytes);
  const bytes = new Uint8ClampedArray(256 * 4);
  for (let value = 0; value < 256; value++) {
    // Low values stay near the background, so that sounds stand out.
    const at = (value / 255) ** 1.4 * (stops.length - 1);
    const below = Math.min(stops.length - 2, Math.floor(at));
    const [from, to] = [stops[below] as readonly number[], stops[below + 1] as readonly number[]];
    for (let i = 0; i < 4; i++) {
      const [a, b] = [from[i] as number, to[i] as number];
      bytes[4 * value + i] = a + (b - a) * (at - below);
    }
  }
  return bytes;
}
