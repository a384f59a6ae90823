/** Line about an audio file that plays: name, position, remaining time and end. */
import { isPlaying, type PlayingFile } from "../store/playing";
import type { SessionView } from "../view";
import { BarButton } from "./bar-button";
import { clockTime } from "./status";

export function FileBar({ view }: { view: SessionView }) {
  const { channel, store } = view;
  const file = store.file.value;
  if (!file || store.saved.value) return null;
  const playing = isPlaying(file);
  const { name, state, position_s, seconds } = file;
  // Without a length there is no position: the bar then only shows activity.
  const known = seconds !== null && state !== "opening";
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for fields, and hosts frame it.
    <div class="aiw-playing" role="group" aria-label="Audio file" data-testid="playing" data-file={state}>
      <span class="aiw-playing-name" title={name}>
        {name}
      </span>
      {playing && (
        <progress
          class="aiw-playing-bar"
          data-testid="file-progress"
          aria-label={`Position in ${name}`}
          aria-valuetext={positionText(file)}
          max={known ? Math.max(seconds, 0.1) : 1}
          value={known ? position_s : undefined}
        />
      )}
      <span class="aiw-playing-time" data-testid="file-position">
        {positionText(file)}
      </span>
      {state === "playing" && (
        <span class="aiw-playing-left" data-testid="file-left">
          {speedText(file)}
        </span>
      )}
      <BarButton
        name="file-end"
        title={playing ? `Stop ${name}; what was heard so far is kept` : "Remove this line"}
        press={() => (playing ? void channel.stop() : channel.dismissFile())}
      >
        {playing ? "Cancel" : "OK"}
      </BarButton>
    </div>
  );
}

export function positionText({ state, position_s, seconds }: PlayingFile): string {
  const position = clockTime(position_s);
  const where = seconds === null ? position : `${position} of ${clockTime(seconds)}`;
  switch (state) {
    case "opening":
      return "opening…";
    case "playing":
      return where;
    case "paused":
      return `paused at ${where}`;
    case "ended":
      return `finished · ${position}`;
    case "stopped":
      return `stopped at ${where}`;
    case "failed":
      return position_s > 0 ? `could be read up to ${where}` : "could not be read";
  }
}

/** Format speed and remaining time, if known. */
export function speedText({ speed, left_s }: PlayingFile): string {
  if (speed === null) return "";
  const times = `${speed < 9.95 ? speed.toFixed(1) : Math.round(speed)}×`;
  return left_s === null ? times : `${times} · ${clockTime(Math.ceil(left_s))} left`;
}
