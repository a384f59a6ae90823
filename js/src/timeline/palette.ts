/** Colours and fonts of the canvas, read from the CSS custom properties of the root. */

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
  "clip",
  "hatch",
  "focus",
  "focus-soft",
  "bad",
] as const;

export type ColourName = (typeof NAMES)[number];
export interface Palette {
  colour: Record<ColourName, string>;
  font: string;
  mono: string;
}

export function readPalette(root: Element): Palette {
  const style = getComputedStyle(root);
  const colour = {} as Record<ColourName, string>;
  for (const name of NAMES) colour[name] = style.getPropertyValue(`--aiw-${name}`).trim() || "#888";
  return {
    colour,
    font: style.fontFamily || "sans-serif",
    mono: style.getPropertyValue("--aiw-mono").trim() || "monospace",
  };
}
