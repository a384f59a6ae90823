/** Strip below the lanes: the whole record, and the window as a mark that can be dragged. */

import { useComputed } from "@preact/signals";
import type { Ref } from "preact";
import { claim } from "../host/claim";
import type { View } from "../view";
import { OVERVIEW_HEIGHT } from "./overview";
import type { TimelineCanvas } from "./timeline-canvas";

interface Props {
  /** Id of the lanes that the strip scrolls. */
  scrolls: string;
  canvas: Ref<HTMLCanvasElement>;
  timeline: () => TimelineCanvas | null;
  view: View;
}

export function OverviewBar({ scrolls, canvas, timeline, view }: Props) {
  const place = (event: PointerEvent & { currentTarget: HTMLElement }) => {
    timeline()?.centreOn(event.clientX - event.currentTarget.getBoundingClientRect().left);
  };
  const keyDown = (event: KeyboardEvent) => {
    const way = { ArrowLeft: -0.5, ArrowRight: 0.5, PageUp: -1, PageDown: 1 }[event.key];
    const made = timeline();
    if (!made || (!way && event.key !== "Home" && event.key !== "End")) return;
    claim(event);
    if (way) made.panBy(way * made.axis.span);
    else if (event.key === "Home") made.panBy(-made.axis.start);
    else made.follow();
  };
  /** In whole seconds, so that a glide does not render this component in each frame. */
  const end = useComputed(() => {
    void view.store.version.value;
    return Math.max(1, Math.round(timeline()?.end_s ?? 0));
  });
  const start = useComputed(() => {
    void [view.store.version.value, timeline()?.moves.value];
    return Math.max(0, Math.round(timeline()?.axis.start ?? 0));
  });
  return (
    <div
      class="aiw-overview"
      role="scrollbar"
      tabIndex={0}
      aria-label="Overview: scrolls the timeline"
      aria-controls={scrolls}
      aria-orientation="horizontal"
      aria-valuemin={0}
      aria-valuemax={end.value}
      aria-valuenow={start.value}
      data-testid="overview"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        place(event);
      }}
      onPointerMove={(event) => {
        if (event.buttons === 1) place(event);
      }}
      onKeyDown={keyDown}
    >
      <canvas ref={canvas} style={{ height: `${OVERVIEW_HEIGHT}px` }} />
    </div>
  );
}
