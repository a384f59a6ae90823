/** Controls of the replay: play and pause, position, speed, loop, and the selected span. */

import { useComputed } from "@preact/signals";
import { SPEEDS, type Span } from "../playback/replay";
import { CHUNK_SECONDS } from "../record/events";
import { chunkCount, recordEnd } from "../record/record";
import { changedSettings } from "../record/what-if";
import { isPlaying } from "../store/playing";
import { isPolicy } from "../store/policy";
import type { View } from "../view";
import { BarButton } from "./bar-button";
import { Icon } from "./icon";
import { RunOn, settingsText } from "./run-on";
import { SmallButton } from "./small-button";
import { clock } from "./turn-item";

/** Render the bar: for every record, and for a session that has chunks and receives no audio. */
export function ReplayBar({ view }: { view: View }) {
  const { channel, store } = view;
  const { replay } = channel;
  void store.version.value;
  const busy = store.micOpen.value || isPlaying(store.file.value);
  const unused = replay.position.value === null;
  if (chunkCount(store.record) === 0) return null;
  // A session's sound is in its kernel.
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
        title="Select a span by dragging on the timeline. Without this button: drag with Shift, or use the keys [ and ]"
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
          <RunAgain view={view} span={span} />
          <SmallButton label="Clear the selection (Escape)" onClick={() => replay.select(null)}>
            ×
          </SmallButton>
        </span>
      )}
      <span role="status" class="aiw-replay-said" data-testid="replay-said">
        {replay.said.value}
      </span>
      {span && <SpanRunOn view={view} span={span} />}
    </div>
  );
}

/** Tolerance of the ends of a span, in chunks: they are multiples of a chunk up to rounding. */
const EDGE = 1e-3;

/** Return the first and the last chunk of a span. */
function chunksOf(span: Span): { chunk: number; until: number } {
  const chunk = Math.floor(span.from_s / CHUNK_SECONDS + EDGE);
  return { chunk, until: Math.max(chunk, Math.ceil(span.to_s / CHUNK_SECONDS - EDGE) - 1) };
}

/** Render what a branch may change in the selected span. */
function SpanRunOn({ view, span }: { view: View; span: Span }) {
  const { chunk, until } = chunksOf(span);
  void view.store.version.value;
  const last = Math.min(until, chunkCount(view.store.record) - 1);
  return last >= chunk ? <RunOn view={view} chunk={chunk} span={last - chunk + 1} /> : null;
}

/** Render the button that decides the selected span again in a branch, with the values of the what-if panel. */
function RunAgain({ view, span }: { view: View; span: Span }) {
  const { store, channel, whatIf } = view;
  const { branching } = channel;
  if (!branching || store.saved.value || isPolicy(store)) return null;
  if (store.recording.value && store.recording.value.refusal !== null) return null;
  const { chunk, until } = chunksOf(span);
  const settings = changedSettings(store.record.decisions.rule(chunk), whatIf.value);
  const told = settingsText(settings) || "the values of the what-if panel, once some are set";
  return (
    <SmallButton
      data-testid="run-again"
      title={`Run chunks ${chunk} to ${until} again in a branch below, with ${told}`}
      onClick={() => branching.fork({ chunk, until, settings })}
    >
      Run this again
    </SmallButton>
  );
}

/** Tolerance of a media element's position, in tenths of a second: 0.4 s may read as 0.39999 s. */
const PLAYERS_ERROR = 0.01;

/** Render the position. A separate component, because it changes ten times a second during playback. */
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
