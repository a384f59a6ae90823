/** The browser's functions for capture, replaceable in tests; and the constraints of a microphone. */
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
  /** Return the browser's permission: granted, denied, prompt; null if unknown. */
  permission(): Promise<string | null>;
  /** Return what blocks the microphone independently of the permission; null if nothing does. */
  hindrance(): Hindrance | null;
}

/** Requested microphone, and the browser's processing of its sound. */
export type CaptureWishes = Pick<
  LiveSettings,
  "device" | "echo_cancellation" | "noise_suppression" | "auto_gain"
>;

/** Return the microphone and the processing that the settings request now. */
export function wishesOf({ live, readingAloud }: Pick<Store, "live" | "readingAloud">): CaptureWishes {
  const { device, echo_cancellation, noise_suppression, auto_gain, reading } = live.value;
  // Without echo cancellation, a microphone that stays on during a reply would record the model's words as the
  // user's.
  const audible = readingAloud.value && reading === "listen";
  return { device, echo_cancellation: audible || echo_cancellation, noise_suppression, auto_gain };
}

/** The browser's name of each kind of processing. */
const SWITCHES = {
  echo_cancellation: "echoCancellation",
  noise_suppression: "noiseSuppression",
  auto_gain: "autoGainControl",
} as const;

/**
 * Build the constraints. Each kind of processing is set explicitly, also if off, because browsers switch it on by
 * default, and a model that listens to coughs and alarms must hear what the microphone hears. A missing device is
 * replaced by the default.
 */
export function constraintsOf(wishes: CaptureWishes): MediaTrackConstraints {
  const constraints: MediaTrackConstraints = { channelCount: { ideal: 1 } };
  for (const [wish, name] of Object.entries(SWITCHES)) {
    constraints[name] = wishes[wish as keyof typeof SWITCHES];
  }
  if (wishes.device) constraints.deviceId = { ideal: wishes.device };
  return constraints;
}

/**
 * Return whether the track has the requested processing. A browser that does not report a kind of processing does not
 * support it.
 */
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
    // No rate is requested: only the device's own rate works in every browser.
    createContext: () => new AudioContext({ latencyHint: "interactive" }),
    openTap,
    permission: async () => {
      const status = await navigator.permissions.query({ name: "microphone" as PermissionName });
      return status.state;
    },
    hindrance: () => hindranceOf(globalThis.window),
  };
}
