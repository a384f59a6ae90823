/** Runs what is shown again with the model, and says whether it is the same: the badge. */

import { isPlaying } from "../store/playing";
import type { ReplayCheck } from "../store/recording";
import type { SessionView } from "../view";
import { BarButton } from "./bar-button";

export function ReplayBadge({ view }: { view: SessionView }) {
  const { channel, store } = view;
  void store.version.value;
  const busy = store.micOpen.value || isPlaying(store.file.value);
  const possible = channel.recordings.replays && channel.ready;
  if (store.record.decided === 0 || busy || !possible) return null;
  const check = store.replayed.value;
  const running = check?.state === "running";
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would bring its own looks
    <div class="aiw-check" role="group" aria-label="Replay with the model" data-testid="check">
      <BarButton
        name="check-start"
        title={
          running
            ? "End the replay"
            : "Let this model hear the audio again, and compare every decision, token and reply"
        }
        press={() => channel.recordings.replay(running ? "cancel" : "start")}
      >
        {running ? "Cancel" : "Replay with this model"}
      </BarButton>
      {running && (
        <progress
          class="aiw-playing-bar"
          aria-label="Replay with the model"
          max={Math.max(check.total, 1)}
          value={check.done}
        />
      )}
      <span role="status" class="aiw-check-said">
        {check && <Badge view={view} check={check} />}
      </span>
    </div>
  );
}

const MARKS: Record<ReplayCheck["state"], string> = {
  running: "replaying…",
  reproduced: "✓ reproduced",
  differs: "≠ differs",
  cancelled: "cancelled",
  failed: "not replayed",
};

function Badge({ view, check }: { view: SessionView; check: ReplayCheck }) {
  const { state, chunk, message } = check;
  return (
    <>
      <strong class="aiw-badge" data-testid="badge" data-badge={state}>
        {MARKS[state]}
      </strong>{" "}
      {state === "differs" && (
        <>
          first at{" "}
          <button
            type="button"
            class="aiw-link"
            data-testid="badge-chunk"
            title="Select this chunk"
            onClick={() => {
              view.selected.value = chunk;
              view.showChunk(chunk);
            }}
          >
            chunk {chunk}
          </button>
          {": "}
        </>
      )}
      <span data-testid="badge-text">{message}</span>
    </>
  );
}
