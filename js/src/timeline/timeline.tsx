/** The timeline panel: a canvas one can point at, drag, zoom and walk with the keyboard. */
import { useEffect, useRef } from "preact/hooks";
import { chunkCount, chunkStart } from "../talk";
import type { View } from "../view";
import { attachGestures } from "./gestures";
import { TIMELINE_HEIGHT } from "./layout";
import { readout } from "./readout";
import { xOf } from "./time-axis";
import { TimelineCanvas } from "./timeline-canvas";

const HELP =
  "Left and right move by one chunk, with shift by a quarter of the window; plus and minus zoom; " +
  "Home and End; F fits everything; L follows the newest chunk; Enter picks the chunk.";

export function Timeline({ view, onCanvas }: { view: View; onCanvas: (timeline: TimelineCanvas) => void }) {
  const surface = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const timeline = useRef<TimelineCanvas | null>(null);

  useEffect(() => {
    if (!surface.current || !canvas.current) return;
    const root = surface.current.closest(".aiw") ?? surface.current;
    const made = new TimelineCanvas(canvas.current, root, view);
    timeline.current = made;
    onCanvas(made);
    const detach = attachGestures(surface.current, made, view);
    return () => {
      detach();
      made.end();
    };
  }, []);

  const { store, hovered, following } = view;
  void store.version.value;
  const { talk } = store;
  const count = chunkCount(talk);
  const said = hovered.value === null ? null : readout(talk, hovered.value);
  return (
    <div class="aiw-timeline">
      <div
        ref={surface}
        class="aiw-surface"
        role="slider"
        tabIndex={0}
        aria-label="Timeline of chunks"
        aria-description={HELP}
        aria-orientation="horizontal"
        aria-valuemin={0}
        aria-valuemax={Math.max(0, count - 1)}
        aria-valuenow={hovered.value ?? Math.max(0, count - 1)}
        aria-valuetext={
          said ? `${said.title}, ${said.decision}. ${said.remarks.join(". ")}` : `${count} chunks`
        }
      >
        <canvas
          ref={canvas}
          class="aiw-canvas"
          data-testid="timeline"
          style={{ height: `${TIMELINE_HEIGHT}px` }}
        />
        {count === 0 && (
          <p class="aiw-empty">
            Press Record and say something, or choose a file. The model decides every 0.4 s.
          </p>
        )}
        {said && timeline.current && <HoverBox timeline={timeline.current} view={view} />}
      </div>
      {!following.value && (
        <button
          type="button"
          class="aiw-button aiw-live"
          data-testid="live"
          title="Follow the newest chunk (L)"
          onClick={() => timeline.current?.follow()}
        >
          ⇥ live
        </button>
      )}
    </div>
  );
}

function HoverBox({ timeline, view }: { timeline: TimelineCanvas; view: View }) {
  const chunk = view.hovered.value as number;
  const { talk } = view.store;
  const { title, decision, remarks } = readout(talk, chunk);
  const { axis } = timeline;
  const x = timeline.crosshair ?? xOf(axis, chunkStart(talk, chunk));
  // On the side where there is room.
  const right = x > axis.left + axis.width / 2;
  const place = right ? { right: `calc(100% - ${x - 12}px)` } : { left: `${x + 12}px` };
  return (
    <div class="aiw-hover" style={place} aria-hidden="true">
      <strong>{title}</strong>
      <span>{decision}</span>
      {remarks.map((remark) => (
        <span key={remark} class="aiw-remark">
          {remark}
        </span>
      ))}
    </div>
  );
}
