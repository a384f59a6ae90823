/** Glide of the window to a target. */
import { SHARED_MS } from "./frame-requests";
import { pixelsPerSecond, type TimeAxis } from "./time-axis";

/** Time constant of a glide to the newest chunk, in milliseconds: two thirds of the distance. */
const GLIDE_MS = 60;
/** Largest distance that glides, in seconds; the window jumps over a larger one. */
const FARTHEST_S = 4;

/** Return the start after `elapsedMs` of a glide: `target` if it is near, far, or the person prefers reduced motion. */
export function glide(axis: TimeAxis, target: number, elapsedMs: number): number {
  const way = target - axis.start;
  const pixel = 1 / pixelsPerSecond(axis);
  if (Math.abs(way) < pixel || Math.abs(way) > FARTHEST_S || reducedMotion()) return target;
  const part = 1 - Math.exp(-Math.min(elapsedMs, SHARED_MS) / GLIDE_MS);
  return axis.start + Math.sign(way) * Math.max(Math.abs(way) * part, pixel);
}

function reducedMotion(): boolean {
  return globalThis.matchMedia?.("(prefers-reduced-motion: reduce)").matches ?? false;
}
