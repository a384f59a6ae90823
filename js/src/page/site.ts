/**
 * Files of the site: beside the page, or inside it. In a single HTML file each is an element
 * `<script type="text/plain" data-aiw-file="NAME">` with the base64 of its gzip; otherwise it is fetched.
 */

/** Names of the files below the page's folder; `ai_widgets/page/files.py` has the same. */
export const WORKER_FILE = "engine-worker.js";
export const SERVICE_WORKER_FILE = "sw.js";
export const WASM_FILE = "ort-wasm-simd-threaded.wasm";
export const MODEL_FOLDER = "model";
export const CLIPS_FOLDER = "clips";

/** A file of the site that is missing or cannot be loaded; the message is a sentence. */
export class SiteError extends Error {
  override readonly name = "SiteError";
}

/** Return whether the files are inside the page. */
export function isSingleFile(page: Document = document): boolean {
  return page.querySelector("script[data-aiw-file]") !== null;
}

/** Return the address of a file beside the page. */
export function addressOf(name: string, page: Document = document): URL {
  return new URL(name, page.baseURI);
}

/**
 * Return the content of a file.
 *
 * @throws SiteError if it is missing, or cannot be loaded.
 */
export async function readFile(
  name: string,
  progress: (loaded: number) => void = () => {},
): Promise<ArrayBuffer> {
  if (isSingleFile()) return embedded(name);
  let response: Response;
  try {
    response = await fetch(addressOf(name));
  } catch {
    const way = location.protocol === "file:" ? " Serve the folder: python -m http.server." : "";
    throw new SiteError(`${name} cannot be loaded: the server does not answer.${way}`);
  }
  if (!response.ok) {
    throw new SiteError(
      `The file ${name} of this page is missing on the server (${response.status}). Upload the whole folder that ai-widgets page wrote.`,
    );
  }
  if (!response.body) return response.arrayBuffer();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const reader = response.body.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    parts.push(next.value);
    progress(next.value.length);
  }
  return new Blob(parts).arrayBuffer();
}

async function embedded(name: string): Promise<ArrayBuffer> {
  const element = document.querySelector(`script[data-aiw-file="${CSS.escape(name)}"]`);
  if (!element)
    throw new SiteError(`This page does not contain its file ${name}; write it again: ai-widgets page.`);
  const letters = atob(element.textContent?.trim() ?? "");
  // The text is needed once, and is a third larger than the file.
  element.textContent = "";
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
