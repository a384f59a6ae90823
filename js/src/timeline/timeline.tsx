/** Timeline panel: lanes with pointer, drag, zoom, folding and keyboard commands; or the same as a table. */

import { useSignal } from "@preact/signals";
import type { ComponentChildren, RefObject } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { BarButton } from "../panels/bar-button";
import { chunkCount } from "../record/record";
import { readout } from "../store/readout";
import type { Store } from "../store/store";
import type { View } from "../view";
import { foldedLanes } from "./folding";
import { attachGestures } from "./gestures";
import { HoverBox } from "./hover-box";
import { keysHelp, ZOOM_STEP } from "./keys";
import { LaneNames } from "./lane-names";
import { layoutOf } from "./layout";
import { OverviewBar } from "./overview-bar";
import { ChunkTable } from "./table";
import { TimelineCanvas } from "./timeline-canvas";

/** Number of timelines created, for unique ids: a page may have several. */
let made = 0;

interface Props {
  view: View;
  onCanvas: (timeline: TimelineCanvas) => void;
  /** Content between the lanes and the bar below them. */
  children?: ComponentChildren;
}

export function Timeline({ view, onCanvas, children }: Props) {
  const surface = useRef<HTMLDivElement>(null);
  const lanes = useRef<HTMLCanvasElement>(null);
  const marks = useRef<HTMLCanvasElement>(null);
  const overview = useRef<HTMLCanvasElement>(null);
  const timeline = useRef<TimelineCanvas | null>(null);
  const asTable = useSignal(false);
  const id = useMemo(() => `aiw-timeline-${++made}`, []);

  useLayoutEffect(() => {
    if (!surface.current || !lanes.current || !marks.current || !overview.current) return;
    const root = surface.current.closest(".aiw") ?? surface.current;
    const canvases = { lanes: lanes.current, marks: marks.current, overview: overview.current };
    const made = new TimelineCanvas(canvases, root, view);
    timeline.current = made;
    onCanvas(made);
    const detach = attachGestures(surface.current, made, view);
    return () => {
      detach();
      made.end();
    };
  }, []);

  const { store, following } = view;
  const empty = store.version.value >= 0 && chunkCount(store.record) === 0;
  const { height } = layoutOf(foldedLanes(view).value);
  const tall = { height: `${height}px` };
  const zoom = (factor: number) => timeline.current?.zoomBy(factor);
  return (
    <div class="aiw-timeline">
      <div class="aiw-lanes" style={tall} data-table={asTable.value}>
        <LaneNames view={view} />
        <Surface id={id} view={view} surface={surface} timeline={() => timeline.current}>
          <canvas ref={lanes} data-testid="timeline" style={tall} />
          <canvas ref={marks} class="aiw-marks" style={tall} />
        </Surface>
        {empty && (
          <p class="aiw-empty">
            {view.channel.ongoing ? emptyText(store) : "This record is empty: nothing was heard."}
          </p>
        )}
        {asTable.value && <ChunkTable id={`${id}-row`} view={view} height={height} />}
      </div>
      {children}
      <div class="aiw-timeline-bar">
        <OverviewBar scrolls={id} canvas={overview} timeline={() => timeline.current} view={view} />
        <div class="aiw-zoom">
          <BarButton
            look="aiw-bar-button"
            name="zoom-out"
            title="Zoom out (−)"
            press={() => zoom(1 / ZOOM_STEP)}
          >
            −
          </BarButton>
          <BarButton look="aiw-bar-button" name="zoom-in" title="Zoom in (+)" press={() => zoom(ZOOM_STEP)}>
            +
          </BarButton>
          <BarButton
            look="aiw-bar-button"
            name="fit"
            title="Show everything (F)"
            press={() => timeline.current?.fit()}
          >
            Fit
          </BarButton>
          {view.channel.ongoing && (
            <BarButton
              look="aiw-bar-button"
              name="follow"
              title="Follow the newest chunk (L)"
              pressed={following.value}
              press={() => timeline.current?.follow()}
            >
              Follow
            </BarButton>
          )}
          <BarButton
            look="aiw-bar-button"
            name="table"
            title="Show the chunks as a table"
            pressed={asTable.value}
            press={() => {
              asTable.value = !asTable.value;
            }}
          >
            Table
          </BarButton>
        </div>
      </div>
    </div>
  );
}

interface SurfaceProps {
  id: string;
  view: View;
  surface: RefObject<HTMLDivElement | null>;
  timeline: () => TimelineCanvas | null;
  children: ComponentChildren;
}

/** Render the surface. A separate component, because it is rendered at each move of the cursor. */
function Surface({ id, view, surface, timeline, children }: SurfaceProps) {
  const { store, hovered, hiddenFrom } = view;
  void store.version.value;
  const count = chunkCount(store.record);
  const said = hovered.value === null ? null : readout(store.record, hovered.value, hiddenFrom.value);
  const made = timeline();
  return (
    <div
      ref={surface}
      id={id}
      class="aiw-surface"
      role="slider"
      tabIndex={0}
      aria-label="Timeline of chunks"
      aria-description={keysHelp(view.channel.ongoing)}
      aria-orientation="horizontal"
      aria-valuemin={0}
      aria-valuemax={Math.max(0, count - 1)}
      aria-valuenow={hovered.value ?? Math.max(0, count - 1)}
      aria-valuetext={
        said ? `${said.title}, ${said.decision}. ${said.remarks.join(". ")}` : `${count} chunks`
      }
    >
      {children}
      {said && made && <HoverBox timeline={made} view={view} />}
    </div>
  );
}

/** Say what to do before anything was heard. */
function emptyText({ runsIn, model }: Store): string {
  return runsIn === "page" && model.value.status === "loading"
    ? "The model is being loaded into this page."
    : "Press Record and say something, or choose a file. The model decides every 0.4 s.";
}
