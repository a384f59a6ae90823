/** Probability as one of five shades: the less sure the model was of a token, the darker it is. */

/** Lower bounds of the shades, the surest first. */
export const SHADES = [0.9, 0.7, 0.5, 0.3, 0] as const;

/** Index of the shade of probability `p`, 0 for sure to 4 for very unsure. */
export function shadeOf(p: number): number {
  const shade = SHADES.findIndex((bound) => p >= bound);
  return shade < 0 ? SHADES.length - 1 : shade;
}
