/** Where sound comes from: the choice of a microphone, or of a file. */

import { useRef } from "preact/hooks";
import { AUDIO_SUFFIXES, type Pace } from "../channel/messages";
import type { SessionView } from "../view";

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
        // The kernel's trait decides what is shown as chosen.
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

export function FileChooser({ view, disabled }: { view: SessionView; disabled: boolean }) {
  const input = useRef<HTMLInputElement>(null);
  const { pace } = view;
  const choose = () => {
    const file = input.current?.files?.[0];
    if (!input.current || !file) return;
    void view.channel.playFile(file, pace.value);
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
        title="Play an audio file to the model; a file may also be dropped here"
        onClick={() => input.current?.click()}
      >
        File…
      </button>
      <input
        ref={input}
        type="file"
        accept={["audio/*", ...AUDIO_SUFFIXES].join(",")}
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
