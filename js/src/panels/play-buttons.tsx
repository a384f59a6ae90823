/** Plays one chunk: as it was recorded here, or as the model heard it. */

import type { Sound } from "../capture/raw-ring";
import { useEffect, useMemo, useSignal } from "../dom/hooks";
import { CANNOT_PLAY, Playback } from "../playback";
import type { View } from "../view";
import { SmallButton } from "./small-button";

type Which = "raw" | "heard";

const TITLES: Record<Which, string> = {
  raw: "Play what the microphone recorded",
  heard: "Play what the model heard: 16 kHz, mono",
};
const GONE: Record<Which, string> = {
  raw: "This page holds no recording of this chunk any more.",
  heard: "The kernel no longer keeps this chunk's sound.",
};

export function PlayButtons({ view, chunk }: { view: View; chunk: number }) {
  const { conversation, store } = view;
  const playback = useMemo(() => new Playback(), []);
  const said = useSignal("");
  const playing = useSignal<Which | null>(null);
  // Unmounted while it plays: its end is told all the same.
  useEffect(() => () => playback.end(), [playback]);
  useEffect(() => {
    said.value = "";
  }, [chunk]);
  const play = async (which: Which) => {
    said.value = "";
    playing.value = which;
    try {
      const sound: Sound | null =
        which === "raw" ? conversation.rawAudio(chunk) : await conversation.fetchAudio(chunk);
      conversation.playing.value = sound !== null;
      if (sound) await playback.play(sound);
      else said.value = GONE[which];
    } catch (error) {
      said.value = `${CANNOT_PLAY.sentence} ${CANNOT_PLAY.wayOut} (${String(error)})`;
    }
    playing.value = null;
    conversation.playing.value = false;
  };
  const offline = store.saved.value || store.line.value === "lost";
  return (
    <span class="play">
      {(["raw", "heard"] as const).map((which) => (
        <SmallButton
          key={which}
          testid={`play-${which}`}
          title={TITLES[which]}
          disabled={which === "heard" && offline}
          data-playing={playing.value === which}
          onClick={() => void play(which)}
        >
          <span aria-hidden="true">▶</span> {which}
        </SmallButton>
      ))}
      <span role="status" class="play-said">
        {said.value}
      </span>
    </span>
  );
}
