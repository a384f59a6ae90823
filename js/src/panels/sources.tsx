/** Choice of the audio source: a microphone, a file, or a clip of the package. */

import { useRef } from "preact/hooks";
import { AUDIO_SUFFIXES, CLIPS, type Pace, RECORDING_SUFFIX } from "../channel/messages";
import { chunkCount } from "../record/record";
import { showProblem } from "../store/store";
import type { SessionView } from "../view";
import { BarButton } from "./bar-button";

export function DevicePicker({ view, disabled }: { view: SessionView; disabled: boolean }) {
  const { channel, store } = view;
  const chosen = store.live.value.device;
  const wanted = store.pending.value.device;
  const devices = store.devices.value;
  const absent = chosen !== "" && devices.length > 0 && !devices.some(({ id }) => id === chosen);
  return (
    <select
      class="aiw-select aiw-device"
      data-testid="device"
      aria-label="Microphone"
      title={store.track.value ? String(store.track.value.name ?? "") : "Which microphone to record from"}
      value={chosen}
      disabled={disabled || devices.length === 0}
      aria-busy={wanted !== undefined}
      onChange={(event) => {
        const { value } = event.currentTarget;
        // The kernel's trait decides which device is shown as selected.
        event.currentTarget.value = chosen;
        channel.set({ device: value });
      }}
    >
      <option value="">{devices.length === 0 ? "Microphone" : "Default microphone"}</option>
      {absent && <option value={chosen}>(not connected)</option>}
      {devices.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </select>
  );
}

/**
 * Handle a chosen or dropped file: open a recording, play any other file as audio.
 *
 * @param others number of files that were dropped with it
 */
export function takeFile({ channel, store, pace }: SessionView, file: File, others = 0): void {
  if (!channel.ready) {
    showProblem(store, {
      code: "recording",
      ...(store.runsIn === "kernel"
        ? {
            sentence: `${file.name} cannot be opened, since no kernel answers.`,
            wayOut: "Run the cell again, then open the file.",
          }
        : {
            sentence: `${file.name} cannot be opened before the model is loaded.`,
            wayOut: "Try it again then.",
          }),
    });
  } else if (file.name.toLowerCase().endsWith(RECORDING_SUFFIX)) channel.recordings.open(file);
  else void channel.playFile(file, pace.value);
  if (others > 0) {
    showProblem(store, {
      code: "one_file",
      sentence: `Only ${file.name} was taken: one file at a time.`,
      wayOut: "Drop the others one after the other.",
      calm: true,
    });
  }
}

export function FileChooser({ view, disabled }: { view: SessionView; disabled: boolean }) {
  const input = useRef<HTMLInputElement>(null);
  const { pace } = view;
  const choose = () => {
    const file = input.current?.files?.[0];
    if (!input.current || !file) return;
    takeFile(view, file);
    // Cleared so that the same file may be chosen again.
    input.current.value = "";
  };
  return (
    <span class="aiw-file">
      <button
        type="button"
        class="aiw-button"
        data-testid="file"
        disabled={disabled}
        title={`Play an audio file to the model, or open a recording (${RECORDING_SUFFIX}); a file may also be dropped here`}
        onClick={() => input.current?.click()}
      >
        Open…
      </button>
      <input
        ref={input}
        type="file"
        accept={["audio/*", ...AUDIO_SUFFIXES, RECORDING_SUFFIX].join(",")}
        hidden
        data-testid="file-input"
        aria-label="Audio file or recording"
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
        <option value="fast">as fast as possible</option>
      </select>
    </span>
  );
}

/** Menu of the package's clips; choosing one plays it. */
export function ClipPicker({ view, disabled }: { view: SessionView; disabled: boolean }) {
  return (
    <select
      class="aiw-select aiw-clips"
      data-testid="clip"
      aria-label="Clip"
      title="Play one of the package's clips to the model"
      value=""
      disabled={disabled}
      onChange={(event) => {
        const { value } = event.currentTarget;
        // The menu is a command and keeps no choice, so that the same clip may be chosen again.
        event.currentTarget.value = "";
        if (value) void view.channel.playClip(value, view.pace.value);
      }}
    >
      <option value="">Clips…</option>
      {CLIPS.map(([name, title]) => (
        <option key={name} value={name}>
          {title}
        </option>
      ))}
    </select>
  );
}

/** Offer of the first clip, shown until the session has heard something: it needs no microphone. */
export function FirstClip({ view }: { view: SessionView }) {
  const { channel, store } = view;
  void store.version.value;
  const offered = channel.ready && chunkCount(store.record) === 0 && store.shown.value !== "listening";
  if (!offered || store.file.value || store.line.value === "connecting") return null;
  const [name, title] = CLIPS[0];
  return (
    <p class="aiw-hint aiw-offer" data-testid="first-clip">
      No microphone?
      <BarButton
        name="play-first-clip"
        title={`Play the clip “${title}” to the model`}
        press={() => void channel.playClip(name, view.pace.value)}
      >
        Play a clip
      </BarButton>
      and see when the model replies.
    </p>
  );
}
