/** The browser's part in capturing, replaceable in tests; and what is asked of a microphone. */
import type { LiveSettings } from "../store/settings";
import type { Store } from "../store/store";
import { hindranceOf } from "./embedding";
import type { Hindrance } from "./problems";
import { type OnBlock, openTap, type Tap } from "./tap";

export interface CaptureHost {
  secure: boolean;
  devices:
    | (Pick<MediaDevices, "getUserMedia"> &
        Partial<Pick<MediaDevices, "enumerateDevices" | "addEventListener" | "removeEventListener">>)
    | undefined;
  createContext(): AudioContext;
  openTap(context: AudioContext, onBlock: OnBlock): Promise<Tap>;
  /** What the browser says of the permission: granted, denied, prompt; null where it cannot say. */
  permission(): Promise<string | null>;
  /** What around the page keeps the microphone from it, whatever the person allows; null where nothing does. */
  hindrance(): Hindrance | null;
}

/** Which microphone is wanted, and what the browser may do to its sound. */
export type CaptureWishes = Pick<
  LiveSettings,
  "device" | "echo_cancellation" | "noise_suppression" | "auto_gain"
>;

/** The microphone and processing that the settings ask for now. */
export function wishesOf({ live, readingAloud }: Pick<Store, "live" | "readingAloud">): CaptureWishes {
  const { device, echo_cancellation, noise_suppression, auto_gain, reading } = live.value;
  // Without echo cancellation, a microphone that stays on during a reply would take the model's words for the user's.
  const audible = readingAloud.value && reading === "listen";
  return { device, echo_cancellation: audible || echo_cancellation, noise_suppression, auto_gain };
}

/** The browser's name of each switch. */
const SWITCHES = {
  echo_cancellation: "echoCancellation",
  noise_suppression: "noiseSuppression",
  auto_gain: "autoGainControl",
} as const;

/**
 * Each switch is asked for by name, also where it is to be off: browsers have them on by default, and a model that
 * listens to coughs and alarms must hear what the microphone hears. A device that is gone falls back to the default.
 */
export function constraintsOf(wishes: CaptureWishes): MediaTrackConstraints {
  const constraints: MediaTrackConstraints = { channelCount: { ideal: 1 } };
  for (const [wish, name] of Object.entries(SWITCHES)) {
    constraints[name] = wishes[wish as keyof typeof SWITCHES];
  }
  if (wishes.device) constraints.deviceId = { ideal: wishes.device };
  return constraints;
}

/** Whether the track does what was asked. A browser that does not say has no such processing. */
export function granted(track: MediaStreamTrack, wishes: CaptureWishes): boolean {
  const settings = track.getSettings?.() ?? {};
  return Object.entries(SWITCHES).every(
    ([wish, name]) =>
      (settings[name] ?? wishes[wish as keyof typeof SWITCHES]) === wishes[wish as keyof typeof SWITCHES],
  );
}

export function browserHost(): CaptureHost {
  return {
    get secure() {
      return globalThis.isSecureContext;
    },
    get devices() {
      return globalThis.navigator?.mediaDevices;
    },
    // Never ask for a rate: the device's own is the only one that every browser can record.
    createContext: () => new AudioContext({ latencyHint: "interactive" }),
    openTap,
    permission: async () => {
      const status = await navigator.permissions.query({ name: "microphone" as PermissionName });
      return status.state;
    },
    hindrance: () => hindranceOf(globalThis.window),
  };
}
