/** The bar at the top: record or stop, interrupt, reset, file; state, level, time and what waits. */
import { useComputed } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Pace } from "../capture/file-player";
import { isRunning } from "../capture/mic-state";
import type { Store } from "../store";
import type { View } from "../view";
import { LevelMeter } from "./level-meter";

/** One chunk is always about to be decided; to say so every 0.4 s would only flicker. */
const FEW_WAITING = 2;

export function Controls({ view }: { view: View }) {
  const { conversation, store } = view;
  const running = useComputed(() => isRunning(store.mic.value));
  const lost = store.line.value === "lost";
  return (
    <div class="aiw-controls">
      <button
        type="button"
        class="aiw-button aiw-record"
        data-testid="record"
        aria-keyshortcuts="R"
        title={running.value ? "Stop (R)" : "Record from the microphone (R)"}
        disabled={lost}
        onClick={() => toggleRecording(view)}
      >
        <span class={running.value ? "aiw-mark-stop" : "aiw-mark-record"} aria-hidden="true" />
        <span class="aiw-record-label">{running.value ? "Stop" : "Record"}</span>
      </button>
      <button
        type="button"
        class="aiw-button"
        data-testid="interrupt"
        disabled={lost || !store.speaking.value}
        title="End the running reply"
        onClick={() => conversation.interrupt()}
      >
        Interrupt
      </button>
      <button
        type="button"
        class="aiw-button"
        data-testid="reset"
        disabled={lost}
        title="Forget everything and start a new session"
        onClick={() => void conversation.reset()}
      >
        Reset
      </button>
      <FileChooser view={view} disabled={lost} />
      <StatePill store={store} />
      <LevelMeter store={store} />
      <Clock store={store} />
    </div>
  );
}

/** What the one button and the R key do. */
export function toggleRecording({ conversation }: View): void {
  if (conversation.running) void conversation.stop();
  else void conversation.record();
}

function FileChooser({ view, disabled }: { view: View; disabled: boolean }) {
  const input = useRef<HTMLInputElement>(null);
  const { pace } = view;
  const choose = () => {
    const file = input.current?.files?.[0];
    if (!input.current || !file) return;
    void view.conversation.playFile(file, pace.value);
    // The same file may be chosen again.
    input.current.value = "";
  };
  return (
    <span class="aiw-file">
      <button
        type="button"
        class="aiw-button"
        data-testid="file"
        disabled={disabled}
        title="Stream an audio file as if it were spoken; a file may also be dropped here"
        onClick={() => input.current?.click()}
      >
        File…
      </button>
      <input
        ref={input}
        type="file"
        accept="audio/*,.wav,.mp3,.flac,.ogg,.m4a,.opus"
        hidden
        data-testid="file-input"
        aria-label="Audio file"
        onChange={choose}
      />
      <select
        class="aiw-select"
        data-testid="pace"
        aria-label="Pace of a file"
        value={pace.value}
        disabled={disabled}
        onChange={(event) => {
          pace.value = event.currentTarget.value as Pace;
        }}
      >
        <option value="realtime">real time</option>
        <option value="fast">as fast as it goes</option>
      </select>
    </span>
  );
}

function StatePill({ store }: { store: Store }) {
  const { shown, line, mic, file } = store;
  const state = shown.value;
  const quiet = line.value === "waiting" && (state === "idle" || state === "stopped");
  const degraded = mic.value.degraded && state === "listening";
  const text = quiet ? "waiting for the kernel" : state === "asking" ? askingText(store) : state;
  const source = file.value?.name ?? mic.value.name;
  return (
    <span class="aiw-pill" data-testid="state" data-pill={quiet ? "waiting" : state} title={source}>
      <span class="aiw-pill-mark" aria-hidden="true" />
      <span role="status">
        {text}
        {degraded && " (degraded)"}
      </span>
    </span>
  );
}

function askingText({ mic }: Store): string {
  return mic.value.source === "file" ? "reading the file" : "asking";
}

function Clock({ store }: { store: Store }) {
  const { file, waiting } = store;
  const seconds = Math.floor(store.seconds.value);
  const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  return (
    <span class="aiw-clock">
      {file.value && (
        <progress class="aiw-progress" value={file.value.part} aria-label={`Sent of ${file.value.name}`} />
      )}
      <span class="aiw-waiting" data-testid="waiting" data-waiting={waiting.value}>
        {waiting.value < FEW_WAITING ? "" : `${waiting.value} chunks waiting`}
      </span>
      <span class="aiw-time" data-testid="elapsed" title="Audio in this session">
        {time}
      </span>
    </span>
  );
}
