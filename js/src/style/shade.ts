/** Probability as one of five shades: the lower the token's probability, the darker the shade. */

/** Lower bounds of the shades, the highest first. */
export const SHADES = [0.9, 0.7, 0.5, 0.3, 0] as const;

/** Return the index of the shade of probability `p`, from 0 (most probable) to 4. */
export function shadeOf(p: number): number {
  const shade = SHADES.findIndex((bound) => p >= bound);
  return shade < 0 ? SHADES.length - 1 : shade;
}
