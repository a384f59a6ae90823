/** Control bar: record or stop, pause, mute, interrupt, reset; the sources of audio; state, level and time. */

import { useComputed } from "@preact/signals";
import { chunkCount } from "../record/record";
import { isPlaying } from "../store/playing";
import type { SessionView } from "../view";
import { BarButton } from "./bar-button";
import { FullscreenButton } from "./fullscreen";
import { LevelMeter } from "./level-meter";
import { ClipPicker, DevicePicker, FileChooser } from "./sources";
import { Clock, RecordingLight, StatePill } from "./status";
import { TourButton } from "./tour-button";
import { ViewPicker } from "./view-picker";

export function Controls({ view }: { view: SessionView }) {
  const { channel, store } = view;
  const running = useComputed(() => channel.running);
  const lost = store.line.value === "lost";
  // A kernel queues what it gets before it answers; a page has nothing to give it to until its model is loaded.
  const loading = store.runsIn === "page" && store.line.value !== "ready";
  const closed = lost || loading || store.saved.value;
  const what = running.value ? "Stop" : "Record";
  const show = view.name.value === "show";
  return (
    <div class="aiw-controls">
      <BarButton
        name="record"
        look="aiw-record"
        shortcut="R"
        title={running.value ? "Stop" : "Record from the microphone"}
        disabled={closed}
        press={() => toggleRecording(view)}
      >
        <span class={running.value ? "aiw-mark-stop" : "aiw-mark-record"} aria-hidden="true" />
        <span class="aiw-record-label">{what}</span>
      </BarButton>
      {!show && <SessionButtons view={view} closed={closed} />}
      {!show && <StatePill store={store} />}
      <RecordingLight store={store} />
      <span class="aiw-right">
        <ViewPicker view={view} />
        {show ? <FullscreenButton view={view} /> : <PanelButtons view={view} closed={closed} />}
        <TourButton view={view} />
      </span>
      <span class="aiw-break" />
      {!show && <DevicePicker view={view} disabled={closed} />}
      <LevelMeter store={store} />
      <FileChooser view={view} disabled={closed} />
      <ClipPicker view={view} disabled={closed} />
      {!show && <Clock store={store} />}
    </div>
  );
}

interface ButtonsProps {
  view: SessionView;
  /** Whether the session takes no commands: the kernel is lost, or a saved record is shown. */
  closed: boolean;
}

/** Render the commands of the session. */
function SessionButtons({ view, closed }: ButtonsProps) {
  const { channel, store } = view;
  const recording = isRecording(view);
  const paused = isPaused(view);
  const listening = recording || isPlaying(store.file.value);
  const muted = store.muted.value;
  void store.version.value;
  const empty = chunkCount(store.record) === 0;
  return (
    <>
      <BarButton
        name="pause"
        look="aiw-wide"
        shortcut="P"
        pressed={paused}
        title={paused ? "Resume the audio" : "Pause the audio: nothing is sent"}
        disabled={closed || !listening}
        press={() => channel.pause(!paused)}
      >
        {paused ? "Resume" : "Pause"}
      </BarButton>
      <BarButton
        name="mute"
        look="aiw-wide"
        shortcut="M"
        pressed={muted}
        title={
          muted ? "Unmute the microphone" : "Mute the microphone: silence is sent, and the session continues"
        }
        disabled={closed || !recording}
        press={() => channel.mute(!muted)}
      >
        {muted ? "Unmute" : "Mute"}
      </BarButton>
      <BarButton
        name="interrupt"
        title="End the running reply"
        disabled={closed || !store.speaking.value}
        press={() => channel.interrupt()}
      >
        Interrupt
      </BarButton>
      <BarButton
        name="reset"
        title="Discard this session and start a new one"
        disabled={closed}
        press={() => void channel.reset()}
      >
        Reset
      </BarButton>
      <BarButton
        name="save"
        title={empty ? "There is nothing to save yet" : "Save what is shown, with its audio"}
        opens={[view.savingOpen.value, `${view.id}-save`]}
        disabled={closed || empty || store.saving.value !== null}
        press={() => {
          view.savingOpen.value = !view.savingOpen.value;
        }}
      >
        Save
      </BarButton>
    </>
  );
}

/** Render the buttons that open step mode and settings. */
function PanelButtons({ view, closed }: ButtonsProps) {
  const { store } = view;
  void store.version.value;
  return (
    <>
      <BarButton
        name="step-mode"
        pressed={view.stepping.value}
        title="Pause the loop and run it phase by phase"
        // Without a kernel, a record can still be replayed.
        disabled={closed && store.record.decided === 0}
        press={() => {
          view.stepping.value = !view.stepping.value;
        }}
      >
        Step
      </BarButton>
      <BarButton
        name="settings-toggle"
        title="Sampling, context, audio"
        opens={[view.settingsOpen.value, `${view.id}-settings`]}
        press={() => {
          view.settingsOpen.value = !view.settingsOpen.value;
        }}
      >
        Settings
      </BarButton>
    </>
  );
}

/** Return whether the microphone delivers sound, or is paused. */
function isRecording({ store }: SessionView): boolean {
  const { phase } = store.mic.value;
  return phase === "listening" || phase === "paused";
}

/** Return whether microphone or file is paused. */
function isPaused({ store }: SessionView): boolean {
  return isPlaying(store.file.value)
    ? store.file.value.state === "paused"
    : store.mic.value.phase === "paused";
}

/** Start or stop recording, for the record button and the R key. */
export function toggleRecording({ channel }: SessionView): void {
  if (channel.running) void channel.stop();
  else void channel.record();
}

/** Run the command of a single key, anywhere in the widget except in a field; return false if the key has none. */
export function pressKey(view: SessionView, key: string): boolean {
  const { channel, store } = view;
  const recording = isRecording(view);
  if (key === "r") toggleRecording(view);
  else if (key === "p" && (recording || isPlaying(store.file.value))) channel.pause(!isPaused(view));
  else if (key === "m" && recording) channel.mute(!store.muted.value);
  else return false;
  return true;
}
