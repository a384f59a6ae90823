/**
 * The transcript that the kernel shows beside a view, as a second output: what a saved notebook keeps where there is no
 * view. While there is one, it would only say the same twice.
 */

import type { KernelModel } from "../channel/link";

/** Hides the transcript for as long as `el` is in the page; returns what shows it again. */
export function hideTranscript(model: KernelModel, el: HTMLElement): () => void {
  const name = model.get("transcript");
  if (typeof name !== "string" || !/^[\w-]+$/.test(name)) return () => {};
  const style = el.ownerDocument.createElement("style");
  // JupyterLab and Notebook 7 put each output into a row with a margin and a prompt.
  style.textContent = `.${name},.jp-OutputArea-child:has(.${name}){display:none}`;
  el.append(style);
  return () => style.remove();
}
