/** Problem or notice for the user: a sentence that names it, and one with the remedy. */
export interface Problem {
  /** Word for programs; a second problem with the same code replaces the first. */
  code: string;
  sentence: string;
  wayOut: string;
  /** Details such as a traceback, shown on request. */
  detail?: string;
  /** Number of occurrences with the same sentence. */
  times?: number;
  /** Whether it is a notice, not a failure. */
  calm?: boolean;
}

export const KERNEL_LOST: Problem = {
  code: "kernel_lost",
  sentence: "The kernel was restarted or is gone.",
  wayOut: "Run the cell again. The microphone has been switched off.",
};

export const KERNEL_SILENT: Problem = {
  code: "kernel_silent",
  sentence: "The kernel has not answered for several minutes, so recording was stopped.",
  wayOut: "Wait until the running cell has finished, or restart the kernel, then run the cell again.",
};

export const PROTOCOL_MISMATCH: Problem = {
  code: "protocol_mismatch",
  sentence: "This page and the kernel speak different versions of the widget's protocol.",
  wayOut: "Restart the kernel and reload the page, so that both use the installed version.",
};

export const BACK_AGAIN: Problem = {
  code: "reconnected",
  sentence: "The connection to the kernel is restored.",
  wayOut: "Missed events have been fetched. The microphone is off; press Record to continue.",
  calm: true,
};

/** Remedies of problems that the kernel reports, by code. */
const WAYS_OUT: Record<string, string> = {
  model: "What was heard so far is kept. Press Reset for a new session, or run the cell again.",
  busy_elsewhere: "Then press Record or choose a file again.",
  file: "What was heard so far is kept. Choose the file again, or another one.",
  recording: "What was shown before is still shown.",
  salvaged: "The readable part of the recording is shown.",
  version: PROTOCOL_MISMATCH.wayOut,
  no_buffers: "Nothing has to be done: microphone, files and clips work.",
  gap: "Close other pages or programs that use much of the processor.",
  overload: "Choose another policy in the settings, or a smaller model; the timeline marks dropped audio.",
};

/** Return a problem with the kernel's sentence. */
export function kernelProblem(code: string, sentence: string, detail: string, times = 1): Problem {
  const calm = [
    "no_buffers",
    "overload",
    "shortened",
    "gap",
    "suspended",
    "branch_closed",
    "salvaged",
  ].includes(code);
  return {
    code,
    sentence,
    wayOut: WAYS_OUT[code] ?? "",
    ...(detail ? { detail } : {}),
    ...(times > 1 ? { times } : {}),
    ...(calm ? { calm } : {}),
  };
}
