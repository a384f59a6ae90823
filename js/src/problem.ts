/** Something that went wrong: what it is, and the way out. */
export interface Problem {
  /** One word for programs; a second problem of the same code replaces the first. */
  code: string;
  sentence: string;
  wayOut: string;
  /** A traceback or the like, shown on request. */
  detail?: string;
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
