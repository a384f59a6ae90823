/** Emotion as a face and a word. */

import type { Emotion } from "../record/events";
import { EMOTION_PATHS } from "../style/emotion";

export function EmotionSign({ emotion }: { emotion: Emotion }) {
  return (
    <span class="aiw-emotion">
      <svg viewBox="0 0 16 16" width="15" height="15" aria-hidden="true">
        <path
          d={EMOTION_PATHS[emotion]}
          fill="none"
          stroke="currentColor"
          stroke-width="1.2"
          stroke-linecap="round"
        />
      </svg>
      {emotion}
    </span>
  );
}
