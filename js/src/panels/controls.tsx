/** The bar at the top: record or stop, pause, mute, interrupt, reset; where sound comes from; state, level and time. */
import { useComputed } from "@preact/signals";
import { isRunning } from "../capture/mic-state";
import type { View } from "../view";
import { LevelMeter } from "./level-meter";
import { DevicePicker, FileChooser } from "./sources";
import { Clock, RecordingLight, StatePill } from "./status";

export function Controls({ view }: { view: View }) {
  const { conversation, store } = view;
  const running = useComputed(() => isRunning(store.mic.value));
  const { phase, source } = store.mic.value;
  const lost = store.line.value === "lost";
  const closed = lost || store.saved.value;
  const paused = phase === "paused";
  const listening = phase === "listening" || paused;
  const muted = store.muted.value;
  return (
    <div class="aiw-controls">
      <button
        type="button"
        class="aiw-button aiw-record"
        data-testid="record"
        aria-keyshortcuts="R"
        title={running.value ? "Stop (R)" : "Record from the microphone (R)"}
        disabled={closed}
        onClick={() => toggleRecording(view)}
      >
        <span class={running.value ? "aiw-mark-stop" : "aiw-mark-record"} aria-hidden="true" />
        <span class="aiw-record-label">{running.value ? "Stop" : "Record"}</span>
      </button>
      <button
        type="button"
        class="aiw-button aiw-pause"
        data-testid="pause"
        aria-keyshortcuts="P"
        aria-pressed={paused}
        title={
          paused
            ? "Let the audio go on (P)"
            : "Hold the audio: nothing is sent, and the session's clock stands (P)"
        }
        disabled={closed || !listening}
        onClick={() => conversation.pause(!paused)}
      >
        {paused ? "Resume" : "Pause"}
      </button>
      <button
        type="button"
        class="aiw-button aiw-mute"
        data-testid="mute"
        aria-keyshortcuts="M"
        aria-pressed={muted}
        title={
          muted
            ? "Let the microphone be heard again (M)"
            : "Let the model hear silence; the stream goes on (M)"
        }
        disabled={closed || !listening || source !== "mic"}
        onClick={() => conversation.mute(!muted)}
      >
        {muted ? "Unmute" : "Mute"}
      </button>
      <button
        type="button"
        class="aiw-button"
        data-testid="interrupt"
        disabled={closed || !store.speaking.value}
        title="End the running reply"
        onClick={() => conversation.interrupt()}
      >
        Interrupt
      </button>
      <button
        type="button"
        class="aiw-button"
        data-testid="reset"
        disabled={closed}
        title="Forget everything and start a new session"
        onClick={() => void conversation.reset()}
      >
        Reset
      </button>
      <StatePill store={store} />
      <RecordingLight store={store} />
      <span class="aiw-right">
        <button
          type="button"
          class="aiw-button"
          data-testid="step-mode"
          aria-pressed={view.stepping.value}
          title="Hold the loop and go through it phase by phase, or replay what was heard"
          // Without a kernel, what was heard can still be replayed.
          disabled={closed && store.talk.decided === 0}
          onClick={() => {
            view.stepping.value = !view.stepping.value;
          }}
        >
          Step
        </button>
        <button
          type="button"
          class="aiw-button aiw-gear"
          data-testid="settings-toggle"
          aria-expanded={view.settingsOpen.value}
          aria-controls={view.settingsOpen.value ? `${view.id}-settings` : undefined}
          aria-label="Settings"
          title="Settings"
          onClick={() => {
            view.settingsOpen.value = !view.settingsOpen.value;
          }}
        >
          <GearMark />
        </button>
      </span>
      <span class="aiw-break" />
      <DevicePicker view={view} disabled={closed} />
      <LevelMeter store={store} />
      <FileChooser view={view} disabled={closed} />
      <Clock store={store} />
    </div>
  );
}

/** What the one button and the R key do. */
export function toggleRecording({ conversation }: View): void {
  if (conversation.running) void conversation.stop();
  else void conversation.record();
}

/** What a single key does, anywhere in the widget but in a field; false where it means nothing here. */
export function pressKey(view: View, key: string): boolean {
  const { conversation, store } = view;
  const { phase, source } = store.mic.value;
  const listening = phase === "listening" || phase === "paused";
  if (key === "r") toggleRecording(view);
  else if (key === "p" && listening) conversation.pause(phase !== "paused");
  else if (key === "m" && listening && source === "mic") conversation.mute(!store.muted.value);
  else return false;
  return true;
}

function GearMark() {
  return (
    <svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" aria-hidden="true">
      <circle cx="8" cy="8" r="2.3" stroke-width="1.4" />
      <circle cx="8" cy="8" r="5" stroke-width="1.4" />
      <path
        d="M8 .8v2.4M8 12.8v2.4M.8 8h2.4M12.8 8h2.4M2.9 2.9l1.7 1.7M11.4 11.4l1.7 1.7M2.9 13.1l1.7-1.7M11.4 4.6l1.7-1.7"
        stroke-width="1.6"
      />
    </svg>
  );
}
