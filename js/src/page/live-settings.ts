/** Settings of the page itself: how the microphone records. The engine's own are in the model's manifest. */
import type { Setting } from "../store/settings";

const GROUP = "Audio";
const SWITCH = {
  kind: "bool",
  group: GROUP,
  unset: "",
  default: false,
  lines: 1,
  choices: [],
  scale: null,
} as const;

/** Declared as in `widget/live_settings.py`, for the settings panel. */
export const LIVE_SETTINGS: readonly Setting[] = [
  {
    ...SWITCH,
    name: "echo_cancellation",
    label: "Echo cancellation",
    help: "Whether the browser removes the loudspeakers' sound from the microphone's. This and the next two are made for calls, and change what the model hears.",
  },
  {
    ...SWITCH,
    name: "noise_suppression",
    label: "Noise suppression",
    help: "Whether the browser suppresses noise.",
  },
  {
    ...SWITCH,
    name: "auto_gain",
    label: "Automatic gain",
    help: "Whether the browser adjusts the microphone's level.",
  },
  {
    ...SWITCH,
    name: "arrival",
    kind: "choice",
    default: "keep",
    label: "Audio that arrives during a reply",
    help: "What happens to microphone audio that arrives during a reply. `interrupt` ends the reply as soon as something louder than −40 dBFS arrives.",
    choices: [
      ["keep", "decided after the reply"],
      ["drop", "never decided"],
      ["interrupt", "ends the reply"],
    ],
  },
  {
    ...SWITCH,
    name: "reading",
    kind: "choice",
    default: "mute",
    label: "Microphone while a reply is read aloud",
    help: "What the microphone does while a reply is read aloud. `mute` sends silence, flagged `gated`.",
    choices: [
      ["mute", "the model hears silence"],
      ["listen", "stays on, with echo cancellation"],
    ],
  },
  {
    ...SWITCH,
    name: "overload",
    kind: "choice",
    default: "lag",
    label: "When the model is too slow",
    help: "What happens when the number of chunks below waits, because the model is slower than the audio.",
    choices: [
      ["lag", "fall behind"],
      ["pause", "pause the intake"],
    ],
  },
  {
    ...SWITCH,
    name: "overload_chunks",
    kind: "int",
    default: 50,
    label: "Chunks of an overload",
    help: "Number of waiting chunks from which on the choice above applies.",
  },
];

/** Largest `overload_chunks`: ten minutes of audio, the limit of the queue. */
export const MOST_CHUNKS = 1500;

/** Values of the live settings before a person changes them. */
export const LIVE_DEFAULTS = Object.fromEntries(
  LIVE_SETTINGS.map(({ name, default: value }) => [name, value]),
);
