/** The page around the widget: what it is, what runs the model, and a link with the settings. */
import { type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { App } from "../app";
import { copyText } from "../host/clipboard";
import type { View } from "../view";
import type { EngineChannel } from "./engine-channel";
import { engineText } from "./engine-text";
import type { Offline } from "./offline";

/** Time that the answer to a press is shown, in milliseconds. */
const SAID_MS = 3000;

interface Props {
  view: View<EngineChannel>;
  offline: Signal<Offline>;
  /** Title of the recording that the page was written with; null for a page without. */
  recording?: string | null;
}

export function PageApp({ view, offline, recording = null }: Props) {
  return (
    <>
      <header class="aiw-page-head">
        <h1>{recording ?? "Audio-Interaction in this page"}</h1>
        <p>
          {recording !== null &&
            "This page has a recording, and the model that made it: select a chunk, and run on from there with something changed. "}
          A small model listens, and every 0.4 s decides whether to speak. It runs in this tab:{" "}
          <strong>your sound stays here and is sent nowhere.</strong>
        </p>
      </header>
      <App view={view} />
      <footer class="aiw-page-foot">
        <p data-testid="engine">{engineText(view.channel)}</p>
        <p data-testid="offline" data-offline={offline.value}>
          {OFFLINE[offline.value]}
        </p>
        <ShareLink />
      </footer>
    </>
  );
}

const OFFLINE: Readonly<Record<Offline, string>> = {
  ready: "It also opens without a network.",
  storing: "It is being stored, to open without a network the next time.",
  no: "It needs the network to open.",
};

/** Render the button that copies the address, which holds the settings. */
function ShareLink() {
  const said = useSignal("");
  useEffect(() => {
    if (!said.value) return;
    const timer = setTimeout(() => {
      said.value = "";
    }, SAID_MS);
    return () => clearTimeout(timer);
  }, [said.value]);
  const copy = async () => {
    const done = await copyText(location.href);
    said.value = done ? "Copied." : "The browser does not allow it: copy it from the address bar.";
  };
  return (
    <p>
      <button type="button" class="aiw-page-link" data-testid="share" onClick={() => void copy()}>
        Copy a link with these settings
      </button>{" "}
      <span role="status" data-testid="share-said">
        {said.value}
      </span>
    </p>
  );
}
