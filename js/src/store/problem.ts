/** A fault or a notice for the person: a sentence that names it, and one that says what to do. */
export interface Problem {
  /** One word for programs; a second problem of the same code replaces the first. */
  code: string;
  sentence: string;
  wayOut: string;
  /** A traceback or the like, shown on request. */
  detail?: string;
  /** How often it came, where the sentence stayed the same. */
  times?: number;
  /** Nothing broke: said calmly. */
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
  sentence: "The line to the kernel is back.",
  wayOut: "What was missed has been fetched. The microphone is off; press Record to go on.",
  calm: true,
};

/** What one can do about a problem that the kernel tells of, by its code. */
const WAYS_OUT: Record<string, string> = {
  model: "What was heard so far is kept. Press Reset for a new session, or run the cell again.",
  busy_elsewhere: "Then press Record or choose a file again.",
  file: "What was heard of it is kept. Choose it again, or another file.",
  version: PROTOCOL_MISMATCH.wayOut,
  gap: "Close other pages or programs that keep this computer busy.",
  overload:
    "Choose another policy in the settings, or a smaller model; the timeline marks what was not heard.",
};

/** A problem in the kernel's own sentence. */
export function kernelProblem(code: string, sentence: string, detail: string, times = 1): Problem {
  const calm = ["overload", "shortened", "gap", "suspended"].includes(code);
  return {
    code,
    sentence,
    wayOut: WAYS_OUT[code] ?? "",
    ...(detail ? { detail } : {}),
    ...(times > 1 ? { times } : {}),
    ...(calm ? { calm } : {}),
  };
}
