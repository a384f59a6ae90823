/** Entry point of the page: the model and its loop in the tab, with the widget's views. No kernel. */
import { signal } from "@preact/signals";
import { render } from "preact";
import { loadEngine } from "./engine/load";
import { EngineChannel } from "./page/engine-channel";
import type { Load } from "./page/loading";
import { firstState, store } from "./page/offline";
import { PageApp } from "./page/page-app";
import {
  addressOf,
  CLIPS_FOLDER,
  isSingleFile,
  MODEL_FOLDER,
  readFile,
  WASM_FILE,
  WORKER_FILE,
} from "./page/site";
import { showProblem } from "./store/store";
import { createView } from "./view";

/** Load the engine from the files of the site. */
const load: Load = async (progress) => {
  if (typeof WebAssembly !== "object") {
    throw new Error(
      "This browser has no WebAssembly, or its settings forbid it; the model cannot run without it.",
    );
  }
  if (!isSingleFile()) {
    return loadEngine(addressOf(`${MODEL_FOLDER}/`).href, {
      worker: addressOf(WORKER_FILE),
      wasm: addressOf(WASM_FILE),
      read: (name) => readFile(`${MODEL_FOLDER}/${name}`),
      progress,
    });
  }
  const worker = new Blob([await readFile(WORKER_FILE)], { type: "text/javascript" });
  return loadEngine("", {
    worker: () => new Worker(URL.createObjectURL(worker)),
    wasm: await readFile(WASM_FILE),
    read: (name) => readFile(`${MODEL_FOLDER}/${name}`),
    progress,
  });
};

async function clip(name: string): Promise<File> {
  const file = `${name}.flac`;
  return new File([await readFile(`${CLIPS_FOLDER}/${file}`)], file, { type: "audio/flac" });
}

/** Write the settings into the address, without a new entry in the history. */
function share(hash: string): void {
  try {
    history.replaceState(null, "", hash || location.pathname + location.search);
  } catch {
    // A page from a disk may not change its address in some browsers: then the link has the settings of its opening.
  }
}

/** Load the model, and show the recording that came with the page, if any. */
async function start(channel: EngineChannel, recording: string | undefined): Promise<void> {
  await channel.start();
  if (!recording) return;
  try {
    channel.recordings.open(new File([await readFile(recording)], recording));
  } catch (error) {
    const sentence = error instanceof Error ? error.message : String(error);
    showProblem(channel.store, { code: "recording", sentence, wayOut: "The page works without it." });
  }
}

const root = document.getElementById("aiw-page");
if (root) {
  const channel = new EngineChannel(load, { clip, hash: location.hash, share });
  root.replaceChildren();
  const offline = signal(firstState());
  const { recording } = root.dataset;
  const title = recording ? document.title : null;
  // A first visit sees one state and one button; who opens a recording wants to look into it.
  const view = createView(channel, recording ? "explore" : "show");
  render(<PageApp view={view} offline={offline} recording={title} />, root);
  void start(channel, recording).then(() => store(offline));
}
