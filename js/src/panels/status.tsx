/**
 * State pill, recording light, clock, and counters of waiting and dropped chunks. A file has a position (`file-
 * bar.tsx`) instead of a lag, because it is not read faster than it is decided.
 */
import { isPlaying } from "../store/playing";
import type { Store } from "../store/store";

/** Smallest number of waiting chunks that is shown: one chunk always waits shortly, and the counter would flicker. */
const FEW_WAITING = 2;

export function StatePill({ store }: { store: Store }) {
  const { shown, line, mic, file, saved } = store;
  const state = shown.value;
  const quiet = line.value === "waiting" && (state === "idle" || state === "stopped");
  const loading = store.runsIn === "page" && store.model.value.status === "loading" && state === "idle";
  const degraded = mic.value.degraded && state === "listening";
  const suspended = state === "listening" && isSuspended(store);
  const text = saved.value
    ? "saved"
    : suspended
      ? "suspended by the system"
      : quiet
        ? "waiting for the kernel"
        : loading
          ? "loading"
          : state === "asking"
            ? isPlaying(file.value)
              ? "opening the file"
              : "asking"
            : state;
  const source = file.value?.name ?? mic.value.name;
  return (
    <span
      class="aiw-pill"
      data-testid="state"
      data-pill={quiet || loading ? "waiting" : suspended ? "paused" : state}
      title={source}
    >
      <span class="aiw-pill-mark" aria-hidden="true" />
      <span role="status">
        {text}
        {degraded && " (degraded)"}
      </span>
    </span>
  );
}

/** Return whether the system has suspended the audio, as during a call: the microphone stays open without sound. */
function isSuspended({ mic }: Store): boolean {
  return mic.value.phase === "listening" && mic.value.problem?.code === "interrupted";
}

/** Render the recording light: on while the browser holds a microphone, in any other state of the widget. */
export function RecordingLight({ store }: { store: Store }) {
  const { micOpen, muted, mic, readingAloud, live } = store;
  const gated = readingAloud.value && live.value.reading === "mute";
  const state = !micOpen.value
    ? "off"
    : muted.value
      ? "muted"
      : mic.value.phase === "paused"
        ? "paused"
        : gated
          ? "gated"
          : "on";
  const [word, title] = LIGHTS[state];
  return (
    <span class="aiw-light" data-testid="light" data-light={state} title={title(whereTo(store))}>
      <span class="aiw-light-mark" aria-hidden="true" />
      {`mic ${word}`}
    </span>
  );
}

/** Say where the microphone's sound goes. */
function whereTo({ runsIn, mirrored }: Store): string {
  if (runsIn === "kernel") return "goes to the kernel";
  return mirrored ? "goes to the model in this page and to the kernel's record" : "stays in this tab";
}

const LIGHTS = {
  off: ["off", () => "No microphone is open"],
  on: ["on", (where: string) => `The microphone is open and its sound ${where}, nowhere else`],
  muted: ["muted", () => "The microphone is open; silence is sent in its place"],
  paused: ["paused", () => "The microphone is open; nothing is sent"],
  gated: [
    "gated",
    () =>
      "A reply is being read aloud; silence is sent meanwhile, so that the model does not hear its own voice",
  ],
} as const;

export function Clock({ store }: { store: Store }) {
  const { file, waiting, counters, lag } = store;
  const time = clockTime(store.seconds.value);
  const { dropped_chunks, dropped_s } = counters.value;
  const lag_s = lag.value;
  return (
    <span class="aiw-clock">
      {!isPlaying(file.value) && (
        <>
          <span class="aiw-waiting" data-testid="waiting" data-waiting={waiting.value}>
            {waiting.value < FEW_WAITING ? "" : `${waiting.value} chunks waiting`}
          </span>
          <span
            class="aiw-counter"
            data-testid="lag"
            title="How far decisions are behind the microphone, counted from the capture"
          >
            lag <b>{lag_s < 0.05 ? "0" : lag_s.toFixed(1)} s</b>
          </span>
        </>
      )}
      <span
        class="aiw-counter"
        data-testid="dropped"
        data-dropped={dropped_chunks}
        title={`Chunks that the policy for overload or arrival dropped (${dropped_s.toFixed(1)} s)`}
      >
        dropped <b>{dropped_chunks}</b>
      </span>
      <span class="aiw-time" data-testid="elapsed" title="Audio in this session">
        {time}
      </span>
    </span>
  );
}

export function clockTime(seconds: number): string {
  const whole = Math.floor(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  const rest = String(whole % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}
