/** Replays what was recorded: play and pause, position, speed, loop, and the selected span. */

import { useComputed } from "@preact/signals";
import { SPEEDS } from "../playback/replay";
import { chunkCount, recordEnd } from "../record/record";
import { isPlaying } from "../store/playing";
import type { View } from "../view";
import { BarButton } from "./bar-button";
import { Icon } from "./icon";
import { SmallButton } from "./small-button";
import { clock } from "./turn-item";

/** Shown for every record, and for a session once it has chunks and takes no audio. */
export function ReplayBar({ view }: { view: View }) {
  const { channel, store } = view;
  const { replay } = channel;
  void store.version.value;
  const busy = store.micOpen.value || isPlaying(store.file.value);
  const unused = replay.position.value === null;
  if (chunkCount(store.record) === 0) return null;
  // Without its kernel a session has no sound to replay.
  if (channel.ongoing && unused && (busy || !channel.ready)) return null;
  const playing = replay.playing.value;
  const span = replay.span.value;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would bring its own looks
    <div class="aiw-replay" role="group" aria-label="Replay" data-testid="replay" data-playing={playing}>
      <BarButton
        name="replay-play"
        look="aiw-replay-play"
        title={
          playing ? "Pause the replay (Space on the timeline)" : "Replay the audio (Space on the timeline)"
        }
        press={() => replay.toggle()}
      >
        <Icon name={playing ? "pause" : "play"} />
        <span>{playing ? "Pause" : "Play"}</span>
      </BarButton>
      <Position view={view} />
      <label class="aiw-replay-speed">
        <span class="aiw-hidden">Speed of the replay</span>
        <select
          class="aiw-select"
          data-testid="replay-speed"
          title="Speed of the replay"
          value={String(replay.speed.value)}
          onChange={({ currentTarget }) => replay.setSpeed(Number(currentTarget.value))}
        >
          {SPEEDS.map((speed) => (
            <option key={speed} value={String(speed)}>
              {speed}×
            </option>
          ))}
        </select>
      </label>
      <BarButton
        name="replay-loop"
        title={`Repeat the selected span, or everything (${channel.ongoing ? "O" : "L or O"} on the timeline)`}
        pressed={replay.looping.value}
        press={() => replay.setLooping(!replay.looping.value)}
      >
        Loop
      </BarButton>
      <BarButton
        name="replay-select"
        title="Drag on the timeline selects a span. The same without this button: drag with Shift, or the keys [ and ]"
        pressed={view.selecting.value}
        press={() => {
          view.selecting.value = !view.selecting.value;
        }}
      >
        Select
      </BarButton>
      {span && (
        <span class="aiw-replay-span" data-testid="replay-span">
          {clock(span.from_s)} – {clock(span.to_s)}
          <SmallButton label="Select nothing (Escape)" onClick={() => replay.select(null)}>
            ×
          </SmallButton>
        </span>
      )}
      <span role="status" class="aiw-replay-said" data-testid="replay-said">
        {replay.said.value}
      </span>
    </div>
  );
}

/** Players round their position: 0.4 s may read as 0.39999 s, in tenths of a second. */
const PLAYERS_ERROR = 0.01;

/** Apart from the bar: only this is drawn anew while the cursor moves, ten times a second at most. */
function Position({ view }: { view: View }) {
  const { channel, store } = view;
  const at = useComputed(() =>
    clock(Math.floor((channel.replay.position.value ?? 0) * 10 + PLAYERS_ERROR) / 10),
  );
  const end = useComputed(() => {
    void store.version.value;
    return clock(recordEnd(store.record));
  });
  return (
    <span class="aiw-replay-time" data-testid="replay-position">
      <b>{at}</b> / {end}
    </span>
  );
}
