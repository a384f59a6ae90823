/**
 * Transcript that the kernel displays as a second output beside a view, for saved notebooks without a view. It is
 * hidden while there is a view, which shows the same.
 */

import type { KernelModel } from "../channel/link";

/** Hide the transcript while `el` is in the page; returns a function that shows it again. */
export function hideTranscript(model: KernelModel, el: HTMLElement): () => void {
  const name = model.get("transcript");
  if (typeof name !== "string" || !/^[\w-]+$/.test(name)) return () => {};
  const style = el.ownerDocument.createElement("style");
  // JupyterLab and Notebook 7 put each output into a row with a margin and a prompt.
  style.textContent = `.${name},.jp-OutputArea-child:has(.${name}){display:none}`;
  el.append(style);
  return () => style.remove();
}
