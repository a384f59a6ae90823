/** Box with details of the chunk under the cursor: time, decision, remarks and latency. */

import { LATENCY_PARTS } from "../record/latency-table";
import { isDecisionHidden } from "../store/hidden";
import { readout } from "../store/readout";
import type { View } from "../view";
import type { TimelineCanvas } from "./timeline-canvas";

/** Distance of the box from the chunk, in pixels. */
const GAP_PX = 14;

export function HoverBox({ timeline, view }: { timeline: TimelineCanvas; view: View }) {
  const chunk = view.hovered.value as number;
  const { record } = view.store;
  void timeline.moves.value;
  const hidden = view.hiddenFrom.value;
  const { title, decision, remarks } = readout(record, chunk, hidden);
  const x = timeline.xOfChunk(chunk);
  // On the side that has room.
  const { width } = timeline.axis;
  const end = x + timeline.chunkWidth;
  // The chunk is out of the window.
  if (end < 0 || x > width) return null;
  const place =
    x > width - end
      ? { right: `${width - x + GAP_PX}px`, maxWidth: `${x - GAP_PX}px` }
      : { left: `${end + GAP_PX}px`, maxWidth: `${width - end - GAP_PX}px` };
  const parts = LATENCY_PARTS.map((part) => ({ part, ms: record.latency.part(chunk, part) })).filter(
    ({ ms }) => ms >= 0.05,
  );
  return (
    <div class="aiw-hover" style={place} aria-hidden="true" data-testid="readout">
      <strong>{title}</strong>
      <span>{decision}</span>
      {remarks.map((remark) => (
        <span key={remark} class="aiw-remark">
          {remark}
        </span>
      ))}
      {parts.length > 0 && !isDecisionHidden(hidden, chunk) && (
        <span class="aiw-parts">
          {parts.map(({ part, ms }) => (
            <span key={part}>
              <i data-part={part} />
              {part} {ms < 10 ? ms.toFixed(1) : Math.round(ms)}
            </span>
          ))}
          <span>ms</span>
        </span>
      )}
    </div>
  );
}
