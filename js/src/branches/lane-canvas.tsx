/** Canvas on the timeline's axis below its lanes; a click selects the chunk there. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { Layer } from "../timeline/layer";
import type { Scene } from "../timeline/painter";
import type { TimelineCanvas } from "../timeline/timeline-canvas";
import { chunkAt } from "../timeline/visible";
import type { View } from "../view";

interface Props {
  view: View;
  timeline: TimelineCanvas;
  height: number;
  paint: (context: CanvasRenderingContext2D, scene: Scene) => void;
}

export function LaneCanvas({ view, timeline, height, paint }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const latest = useRef({ height, paint });
  latest.current = { height, paint };
  useLayoutEffect(() => {
    if (!canvas.current) return;
    const layer = new Layer(canvas.current);
    return timeline.paintAlong((scene) => {
      layer.measure();
      if (!layer.width || !layer.context) return;
      const { height, paint } = latest.current;
      layer.fit(height);
      layer.context.direction = "ltr";
      layer.context.clearRect(0, 0, layer.width, height);
      paint(layer.context, scene);
    });
  }, [timeline]);
  useLayoutEffect(() => timeline.invalidate("lanes", true));
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the same chunks are in the timeline and behind buttons
    // biome-ignore lint/a11y/useKeyWithClickEvents: as above
    <div
      class="aiw-branch-canvas"
      onClick={({ offsetX }) => {
        const chunk = chunkAt(view.store.record, timeline.axis, offsetX);
        if (chunk !== null) view.showChunk(chunk);
      }}
    >
      <canvas ref={canvas} style={{ height: `${height}px` }} />
    </div>
  );
}
