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
];

/** Names of the live settings; the microphone is chosen in the control bar. */
export const LIVE_NAMES: readonly string[] = [...LIVE_SETTINGS.map(({ name }) => name), "device"];
