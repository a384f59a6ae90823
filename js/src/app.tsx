/** One view of the widget: its root element with all panels, keyboard commands and dropped files. */

import { effect, type Signal, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { AnalysisLanes } from "./branches/analysis-lanes";
import { BranchLanes } from "./branches/branch-lanes";
import { claim, isCommand } from "./host/claim";
import { type Theme, watchTheme } from "./host/theme";
import { Banners, ModelLine } from "./panels/banners";
import { Controls, pressKey } from "./panels/controls";
import { FileBar } from "./panels/file-bar";
import { Panel } from "./panels/panel";
import { RecordPanels } from "./panels/record-panels";
import { RecordingBars } from "./panels/recording-bars";
import { ReplayBar } from "./panels/replay-bar";
import { ReplayBadge } from "./panels/replay-check";
import { Settings } from "./panels/settings";
import { FirstClip, takeFile } from "./panels/sources";
import { StepMode } from "./panels/step-mode";
import { overheadSummary } from "./record/overhead";
import { chunkCount } from "./record/record";
import { Stage } from "./show/stage";
import { firstView } from "./store/view-name";
import { Timeline } from "./timeline/timeline";
import type { TimelineCanvas } from "./timeline/timeline-canvas";
import { TourOffer } from "./tour/offer";
import { TourCard } from "./tour/tour-card";
import { type SessionView, showView } from "./view";

/** Interval between two updates of the latency figures on the root, in milliseconds. */
const FIGURES_MS = 500;

/** Render a view; `foot` is what the line about the model is followed by. */
export function App({ view, foot = null }: { view: SessionView; foot?: ComponentChildren }) {
  const root = useRef<HTMLDivElement>(null);
  const timeline = useSignal<TimelineCanvas | null>(null);
  const theme = useSignal<Theme>("light");
  const dropping = useSignal(false);
  const { store } = view;

  useLayoutEffect(
    () =>
      watchTheme((found) => {
        theme.value = found;
        // The host's style sheet may not be applied yet.
        requestAnimationFrame(() => requestAnimationFrame(() => timeline.value?.restyle()));
      }),
    [theme],
  );
  useLayoutEffect(() => (root.current ? keepKeys(root.current) : undefined), []);
  // In another session the selection is no longer valid.
  useLayoutEffect(
    () =>
      effect(() => {
        const chunks = store.version.value >= 0 ? chunkCount(store.record) : 0;
        if (view.selected.value !== null && view.selected.value >= chunks) view.selected.value = null;
        if (view.hovered.value !== null && view.hovered.value >= chunks) view.hovered.value = null;
        if (chunks === 0) view.following.value = true;
      }),
    [],
  );
  useLayoutEffect(() => showFigures(view, root.current), []);
  useLayoutEffect(() => followPython(view), []);

  const keyDown = (event: KeyboardEvent) => {
    if (isCommand(event) || event.defaultPrevented) return;
    const typing = isField(event.target);
    if (!typing && !event.repeat && pressKey(view, event.key.toLowerCase())) claim(event);
    // Keys of a field must not reach the host: JupyterLab would handle a slider's arrow keys.
    else if (typing || event.target instanceof HTMLInputElement) event.stopPropagation();
  };
  const dragOver = (event: DragEvent) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    claim(event);
    dropping.value = true;
  };
  const drop = (event: DragEvent) => {
    dropping.value = false;
    const files = event.dataTransfer?.files ?? [];
    if (!files[0]) return;
    claim(event);
    takeFile(view, files[0], files.length - 1);
  };

  void store.version.value;
  const { record } = store;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would bring its own looks
    <div
      ref={root}
      class="aiw"
      // The text is English, in a page of any direction; replies have the direction of their own letters.
      dir="ltr"
      role="group"
      aria-label="Audio interaction"
      data-testid="aiw"
      data-theme={theme.value}
      data-view={view.name.value}
      data-state={store.shown.value}
      data-line={store.line.value}
      data-mic={store.micOpen.value ? "open" : "closed"}
      data-saved={store.saved.value}
      data-loop={store.loop.value.mode}
      data-chunks={chunkCount(record)}
      data-decisions={record.decided}
      data-turns={record.turns.length}
      data-recording={store.recording.value !== null}
      data-dropping={dropping.value}
      onKeyDown={keyDown}
      onDragOver={dragOver}
      onDragLeave={(event) => {
        if (!root.current?.contains(event.relatedTarget as Node | null)) dropping.value = false;
      }}
      onDrop={drop}
    >
      <Panel name="control bar">
        <Controls view={view} />
        <FileBar view={view} />
        <RecordingBars view={view} />
        {view.tour.value === null && (
          <div class="aiw-offers">
            <FirstClip view={view} />
            <TourOffer view={view} />
          </div>
        )}
      </Panel>
      <Panel name="settings panel">
        <Settings view={view} />
      </Panel>
      <Panel name="list of problems">
        <Banners view={view} />
      </Panel>
      <Panel name="tour">
        <TourCard view={view} />
      </Panel>
      {view.name.value === "show" ? (
        <Panel name="show view">
          <Stage view={view} />
        </Panel>
      ) : (
        <Workbench view={view} timeline={timeline} />
      )}
      <Panel name="line about the model">
        <ModelLine view={view} />
        {foot}
      </Panel>
    </div>
  );
}

interface WorkbenchProps {
  view: SessionView;
  timeline: Signal<TimelineCanvas | null>;
}

/** Render the panels of the views Explore and Teach. */
function Workbench({ view, timeline }: WorkbenchProps) {
  const { store } = view;
  void store.version.value;
  useLayoutEffect(
    () => () => {
      timeline.value = null;
    },
    [timeline],
  );
  return (
    <>
      <Panel name="timeline">
        <Timeline
          view={view}
          onCanvas={(made) => {
            timeline.value = made;
          }}
        >
          {timeline.value && <BranchLanes view={view} timeline={timeline.value} />}
          {timeline.value && <AnalysisLanes view={view} timeline={timeline.value} />}
        </Timeline>
      </Panel>
      <Panel name="replay bar">
        <ReplayBar view={view} />
        <ReplayBadge view={view} />
      </Panel>
      <Panel name="step mode">
        <StepMode view={view} />
      </Panel>
      {/* Before the first chunk there is nothing to explain. */}
      {chunkCount(store.record) > 0 && <RecordPanels view={view} />}
    </>
  );
}

/** Return whether letters typed into the target are text. */
function isField(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return target.type !== "checkbox" && target.type !== "range";
  return target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement;
}

/**
 * Suppress single-key commands of notebook hosts (arrows, R, F, L) within the widget; combinations such as ctrl+S
 * stay the host's.
 */
function keepKeys(root: HTMLElement): () => void {
  const decide = (event: KeyboardEvent) => {
    const combination = event.ctrlKey || event.metaKey;
    root.toggleAttribute("data-lm-suppress-shortcuts", !combination);
  };
  window.addEventListener("keydown", decide, true);
  return () => window.removeEventListener("keydown", decide, true);
}

/** Lay out the view that Python asks for later, with `w.set(view=…)`. */
function followPython(view: SessionView): () => void {
  let asked = view.store.live.peek().view;
  return view.store.live.subscribe((live) => {
    if (live.view === asked) return;
    asked = live.view;
    showView(view, firstView(asked));
  });
}

/** Write the overhead of chunks to `data-overhead`, where measurements read it. */
function showFigures({ store }: SessionView, root: HTMLElement | null): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const show = () => {
    timer = undefined;
    const figures = overheadSummary(store.record.latency);
    if (root && figures) root.dataset.overhead = JSON.stringify(figures);
  };
  const stop = store.version.subscribe(() => {
    timer ??= setTimeout(show, FIGURES_MS);
  });
  return () => {
    stop();
    clearTimeout(timer);
  };
}
