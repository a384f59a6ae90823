/** Face of each emotion, drawn as one path on a 16 × 16 grid, the same in the transcript and on the canvas. */
import type { Emotion } from "../record/events";

const HEAD = "M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 1 1 0-13z";
const EYES = "M5.6 6v1.2M10.4 6v1.2";

export const EMOTION_PATHS: Record<Emotion, string> = {
  happy: `${HEAD}${EYES}M5 9.6q3 3 6 0`,
  sad: `${HEAD}${EYES}M5 11.4q3-3 6 0`,
  angry: `${HEAD}M4.6 5.2l2.2 1.3M11.4 5.2l-2.2 1.3M5.6 7.4v.6M10.4 7.4v.6M5.4 11.2h5.2`,
  surprise: `${HEAD}${EYES}M8 9.2a1.4 1.6 0 1 1 0 3.2a1.4 1.6 0 1 1 0-3.2z`,
  normal: `${HEAD}${EYES}M5.4 10.6h5.2`,
  urgent: "M8 1.8l6.6 12.2h-13.2zM8 6.2v3.8M8 11.6v.8",
};
