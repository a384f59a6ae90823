/** The lines on recordings: the one that is shown, one that is being opened, and saving. */

import type { ComponentChildren } from "preact";
import { chunkCount } from "../record/record";
import type { SessionView } from "../view";
import { BarButton } from "./bar-button";

export function RecordingBars({ view }: { view: SessionView }) {
  const { store, channel } = view;
  const { recordings } = channel;
  if (store.saved.value) return null;
  const recording = store.recording.value;
  const opening = store.opening.value;
  return (
    <>
      {recording && (
        <Line name="recording" label="Opened recording" title={recording.name}>
          <span class="aiw-recording-facts">
            {["Recording", ...recording.facts.map(shortFact)].join(" · ")}
          </span>
          <BarButton
            name="recording-close"
            title="Show the session again; the recording stays as it is"
            press={() => recordings.close()}
          >
            Close
          </BarButton>
        </Line>
      )}
      {opening && (
        <Line name="opening" label="Opening a recording" title={opening.name}>
          <Progress done={opening.done} total={opening.total} label={`Opening ${opening.name}`} />
          <span class="aiw-playing-time">opening · {sizeText(opening.done, opening.total)}</span>
          <BarButton name="opening-end" title="Do not open it" press={() => recordings.close()}>
            Cancel
          </BarButton>
        </Line>
      )}
      <SaveBar view={view} />
    </>
  );
}

/** Render the choice of a format, or the progress of saving. */
function SaveBar({ view }: { view: SessionView }) {
  const { store, channel } = view;
  const { recordings } = channel;
  const saving = store.saving.value;
  if (saving) {
    const { name, done, total, slow } = saving;
    const writes = `the ${store.runsIn} writes the file`;
    const written = name === "" ? writes : sizeText(done, total);
    return (
      <Line name="saving" label="Saving" title={name || "Saving…"}>
        <Progress done={done} total={total} label="Saving" />
        <span class="aiw-playing-time" role="status">
          {slow ? "waiting for the kernel, which may be busy with a cell" : written}
        </span>
        <BarButton name="saving-end" title="Do not save" press={() => recordings.cancelSaving()}>
          Cancel
        </BarButton>
      </Line>
    );
  }
  if (!view.savingOpen.value || chunkCount(store.record) === 0) return null;
  const choose = (format: "aiw" | "html") => {
    view.savingOpen.value = false;
    recordings.save(format);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would bring its own looks
    <div class="aiw-save" id={`${view.id}-save`} role="group" aria-label="Save" data-testid="save-formats">
      <BarButton name="save-aiw" title="All events and the audio, in one file" press={() => choose("aiw")}>
        Recording (.aiw)
      </BarButton>
      <span>opens here again, and in Python</span>
      {recordings.formats.includes("html") && (
        <>
          <BarButton
            name="save-html"
            title="One page with the audio, without network"
            press={() => choose("html")}
          >
            Web page (.html)
          </BarButton>
          <span>opens in any browser</span>
        </>
      )}
    </div>
  );
}

interface LineProps {
  name: string;
  label: string;
  title: string;
  children: ComponentChildren;
}

function Line({ name, label, title, children }: LineProps) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for fields, and hosts frame it.
    <div class="aiw-playing" role="group" aria-label={label} data-testid={name}>
      <span class="aiw-playing-name" title={title}>
        {title}
      </span>
      {children}
    </div>
  );
}

function Progress({ done, total, label }: { done: number; total: number; label: string }) {
  return (
    <progress
      class="aiw-playing-bar"
      aria-label={label}
      max={Math.max(total, 1)}
      value={total > 0 ? done : undefined}
    />
  );
}

/** Format bytes as megabytes, with one decimal below 10. */
export function sizeText(done: number, total: number): string {
  const digits = total < 1e7 ? 1 : 0;
  return `${(done / 1e6).toFixed(digits)} of ${(total / 1e6).toFixed(digits)} MB`;
}

/** Format a fact of the recording: a date in the reader's locale, the last part of a folder. */
function shortFact(fact: string): string {
  const date = /^\d{4}-\d\d-\d\dT/.test(fact) ? new Date(fact) : null;
  if (date && !Number.isNaN(date.getTime())) {
    return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  }
  return fact.includes("/") ? (fact.split("/").pop() ?? fact) : fact;
}
