/** What keys mean on the timeline. */
import { chunkCount } from "../record/record";
import type { View } from "../view";
import type { TimelineCanvas } from "./timeline-canvas";

export const KEYS_HELP =
  "Left and right move by one chunk, with shift by a quarter of the window; page up and down by ten chunks; " +
  "plus and minus zoom; Home and End; F fits everything; L follows the newest chunk; Enter picks the chunk.";

export const ZOOM_STEP = 1.4;
const PAGE_CHUNKS = 10;

/** Does what a key means; false where it means nothing. */
export function pressKey(key: string, shift: boolean, timeline: TimelineCanvas, view: View): boolean {
  const newest = chunkCount(view.store.record) - 1;
  const at = view.hovered.value ?? view.selected.value;
  const step = (chunks: number) => timeline.moveCursor(at === null ? newest : at + chunks);
  switch (key.length === 1 ? key.toLowerCase() : key) {
    case "ArrowLeft":
    case "ArrowRight": {
      const way = key === "ArrowLeft" ? -1 : 1;
      if (shift) timeline.panBy((way * timeline.axis.span) / 4);
      else step(way);
      return true;
    }
    case "PageUp":
      step(PAGE_CHUNKS);
      return true;
    case "PageDown":
      step(-PAGE_CHUNKS);
      return true;
    case "Home":
      timeline.moveCursor(0);
      return true;
    case "End":
      timeline.moveCursor(newest);
      return true;
    case "+":
    case "=":
      timeline.zoomBy(ZOOM_STEP, cursorX(timeline, view));
      return true;
    case "-":
    case "_":
      timeline.zoomBy(1 / ZOOM_STEP, cursorX(timeline, view));
      return true;
    case "f":
      timeline.fit();
      return true;
    case "l":
      timeline.follow();
      return true;
    case "Enter":
    case " ":
      if (at === null) return false;
      view.selected.value = at === view.selected.value ? null : at;
      return true;
    case "Escape":
      if (view.selected.value === null && view.hovered.value === null) return false;
      view.selected.value = null;
      timeline.pointAt(null);
      return true;
    default:
      return false;
  }
}

/** Where the cursor is in sight, it stays in its place; else the middle does. */
function cursorX(timeline: TimelineCanvas, view: View): number | undefined {
  const chunk = view.hovered.value ?? view.selected.value;
  if (chunk === null) return undefined;
  const x = timeline.xOfChunk(chunk);
  const { left, width } = timeline.axis;
  return x >= left && x <= left + width ? x : undefined;
}
