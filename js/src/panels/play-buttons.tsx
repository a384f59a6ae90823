/** Buttons that play one chunk: as recorded on this page, or as the model heard it. */

import type { Which } from "../playback/chunk-player";
import type { View } from "../view";
import { SmallButton } from "./small-button";

const TITLES: Record<Which, string> = {
  raw: "Play what the microphone recorded",
  heard: "Play what the model heard: 16 kHz, mono",
};

export function PlayButtons({ view, chunk }: { view: View; chunk: number }) {
  const { channel, store } = view;
  const { player } = channel;
  const asked = player.asked.value;
  const said = player.said.value;
  const offline = channel.ongoing && (store.saved.value || store.line.value === "lost");
  // An exported page has only the sound as the model heard it.
  const kinds = channel.ongoing ? (["raw", "heard"] as const) : (["heard"] as const);
  return (
    <span class="aiw-play">
      {kinds.map((which) => (
        <SmallButton
          key={which}
          data-testid={`play-${which}`}
          title={TITLES[which]}
          disabled={which === "heard" && offline}
          data-playing={asked?.which === which && asked.chunk === chunk}
          onClick={() => void player.play(which, chunk)}
        >
          <span aria-hidden="true">▶</span> {which}
        </SmallButton>
      ))}
      <span role="status" class="aiw-play-said">
        {said?.chunk === chunk ? said.sentence : ""}
      </span>
    </span>
  );
}
