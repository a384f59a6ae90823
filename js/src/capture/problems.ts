/** Problems of microphones, each with a sentence that names it and one with the remedy. */
import type { Problem } from "../store/problem";

export type CaptureProblemCode =
  | "denied"
  | "dismissed"
  | "no_device"
  | "device_busy"
  | "insecure_origin"
  | "host_policy"
  | "frame_policy"
  | "server_policy"
  | "unsupported"
  | "track_ended"
  | "revoked"
  | "muted_by_system"
  | "device_absent"
  | "degraded"
  | "hidden"
  | "interrupted"
  | "no_audio"
  | "stalled"
  | "audio_closed"
  | "capture_failed";

const TEXTS: Record<CaptureProblemCode, [sentence: string, wayOut: string]> = {
  denied: [
    "The browser does not let this page use the microphone.",
    "Allow the microphone in the site settings (the icon beside the address), then press Record again, or choose a file.",
  ],
  dismissed: [
    "The browser's request for the microphone was closed without an answer.",
    "Press Record again and choose Allow.",
  ],
  no_device: [
    "No microphone was found.",
    "Connect one or enable it in the system settings, then press Record again, or choose a file.",
  ],
  device_busy: [
    "The microphone is in use by another program or could not be started.",
    "Close the other program (a call, a recorder), then press Record again.",
  ],
  insecure_origin: [
    "Browsers give the microphone only to secure pages, and this one was opened over plain http.",
    "Open the notebook over https or as localhost, for example after `ssh -L 8888:localhost:8888 host`, or choose a file.",
  ],
  host_policy: [
    "The program that shows this notebook blocks the microphone (VS Code does).",
    "Play a clip or choose a file instead, pass an array to `w.feed(samples, rate)`, or open the notebook in JupyterLab in a browser.",
  ],
  frame_policy: [
    "{frame}{embedder} is not allowed to use the microphone.",
    'Play a clip or choose a file instead, or pass an array to `w.feed(samples, rate)`; for the microphone, open the notebook in a tab of its own, or have the page around it add allow="microphone" to that frame.',
  ],
  server_policy: [
    "The server of this page blocks the microphone (by its Permissions-Policy header).",
    "Its administrator has to allow microphone=(self) in that header; or choose a file instead.",
  ],
  unsupported: [
    "This browser cannot record audio here.",
    "Use a current Chrome, Edge, Firefox or Safari, or choose a file instead.",
  ],
  track_ended: [
    "The microphone was unplugged or switched off while recording.",
    "Connect it again and press Record. What was heard so far is kept.",
  ],
  revoked: [
    "The permission to use the microphone was revoked while recording.",
    "Allow it in the site settings (the icon beside the address), then press Record. What was heard so far is kept.",
  ],
  muted_by_system: [
    "The device or the system has muted the microphone, so the model hears silence.",
    "Switch it on at the device (a key or a switch) or in the system settings; recording then continues by itself.",
  ],
  device_absent: [
    "The chosen microphone is not connected, so another one records.",
    "Connect it again, or choose another one in the list.",
  ],
  degraded: [
    "This page has no audio thread, so an older way of recording is used, which may lose sound while the page is busy.",
    "Use a current Chrome, Edge, Firefox or Safari, or a host that allows audio worklets.",
  ],
  hidden: [
    "This page was in the background for {} while the microphone stayed on; {} chunks were heard.",
    "To stop recording in the background, press Stop before you leave the page.",
  ],
  interrupted: [
    "The system has paused audio on this page.",
    "Recording continues when the other program ends; if not, press Stop and then Record.",
  ],
  no_audio: [
    "The microphone was granted but delivers no sound.",
    "Check that it is switched on and not muted in the system settings, then press Record again.",
  ],
  stalled: [
    "The microphone stopped delivering sound, so it was released.",
    "Check that it is connected and switched on, then press Record. What was heard so far is kept.",
  ],
  audio_closed: [
    "Other code on this page closed the audio of this widget, so the microphone was released.",
    "Press Record again. What was heard so far is kept.",
  ],
  capture_failed: [
    "Recording could not be started.",
    "Press Record again; if it fails once more, reload the page or choose a file.",
  ],
};

/** Codes of problems that do not end a recording. */
const CALM: readonly CaptureProblemCode[] = ["device_absent", "degraded", "hidden"];

export function captureProblem(code: CaptureProblemCode, detail = ""): Problem {
  const [sentence, wayOut] = TEXTS[code];
  return {
    code,
    sentence,
    wayOut,
    ...(detail ? { detail } : {}),
    ...(CALM.includes(code) ? { calm: true } : {}),
  };
}

/**
 * Return the problem of a page that was hidden for `time` with an open microphone, while `chunks` chunks were heard.
 */
export function hiddenProblem(time: string, chunks: number): Problem {
  const problem = captureProblem("hidden");
  const sentence = problem.sentence.replace("{}", time).replace("{}", String(chunks));
  return { ...problem, sentence };
}

/** Part of the page's surroundings that blocks the microphone. */
export type Hindrance =
  | { by: "host" | "server" }
  /** Frame with its address, and the origin of the page that contains it, if reported. */
  | { by: "frame"; frame: string; embedder: string };

export function policyProblem(hindrance: Hindrance, detail = ""): Problem {
  if (hindrance.by !== "frame") {
    return captureProblem(hindrance.by === "host" ? "host_policy" : "server_policy", detail);
  }
  const { frame, embedder } = hindrance;
  const problem = captureProblem("frame_policy", detail);
  return {
    ...problem,
    sentence: problem.sentence
      .replace("{frame}", () => frame)
      .replace("{embedder}", () => (embedder ? ` inside ${embedder}` : "")),
  };
}

/**
 * Return the code of a rejected `getUserMedia`. `permission` is the result of the permissions API afterwards, if any.
 */
export function microphoneProblem(
  error: unknown,
  permission: string | null,
  hindrance: Hindrance | null = null,
): Problem {
  const { name, message } = error instanceof Error ? error : { name: "", message: String(error) };
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      if (hindrance) return policyProblem(hindrance, message);
      return captureProblem(permission === "prompt" ? "dismissed" : "denied", message);
    case "NotFoundError":
    case "OverconstrainedError":
      return captureProblem("no_device", message);
    case "NotReadableError":
    case "AbortError":
      return captureProblem("device_busy", message);
    case "TypeError":
    case "NotSupportedError":
      return captureProblem("unsupported", message);
    default:
      return captureProblem("capture_failed", `${name} ${message}`.trim());
  }
}
