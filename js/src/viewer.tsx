/** Entry point of an exported page: reads the data in the page and shows them. No kernel, no network. */

import { render } from "preact";
import { RecordChannel, readHeader } from "./channel/record-channel";
import { unpack } from "./record/packed";
import { createView } from "./view";
import { ViewerApp } from "./viewer-app";

/** Decode the base64 text of an element; null if the page has no such element. */
function bytesOf(id: string): Uint8Array<ArrayBuffer> | null {
  const text = document.getElementById(id)?.textContent?.trim();
  if (!text) return null;
  const letters = atob(text);
  // A loop takes a tenth of the time of `Uint8Array.from` with a function.
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

async function show(root: HTMLElement): Promise<void> {
  const header = readHeader(JSON.parse(document.getElementById("aiw-header")?.textContent ?? "null"));
  const packed = bytesOf("aiw-events");
  const record = packed ? await unpack(packed) : { events: [], mels: new Map() };
  const sound = bytesOf("aiw-audio");
  const audio = sound && header.audio ? new Blob([sound], { type: header.audio.type }) : null;
  const view = createView(new RecordChannel(header, record, audio));
  // Until now the page showed the replies as plain text.
  root.replaceChildren();
  render(<ViewerApp view={view} />, root);
}

const root = document.getElementById("aiw-viewer");
if (root) {
  show(root).catch((error: unknown) => {
    const sentence = document.createElement("p");
    sentence.setAttribute("role", "alert");
    root.prepend(sentence);
    sentence.textContent =
      `This record could not be shown: ${error instanceof Error ? error.message : String(error)} ` +
      "A browser from 2023 or later is needed.";
    console.error(error);
  });
}
