/** Keyboard commands of the timeline. */
import { chunkCount } from "../record/record";
import type { View } from "../view";
import { cue, playedChunk, selectEdge } from "./replay-cursor";
import type { TimelineCanvas } from "./timeline-canvas";

const HELP =
  "Left and right move by one chunk, with shift by a quarter of the window; page up and down by ten chunks; " +
  "plus and minus zoom; Home and End move to the ends; F fits everything; Enter selects the chunk; " +
  "Space plays or pauses; left and right bracket set the start and the end of the selection; Escape clears the selection; O loops";

/** Describe the keys in words. A record that cannot grow has no newest chunk to follow. */
export function keysHelp(ongoing: boolean): string {
  return ongoing ? `${HELP}; L follows the newest chunk.` : `${HELP}, as does L.`;
}

/** Factor of one zoom step by key or button. */
export const ZOOM_STEP = 1.4;
/** Chunks that page up and page down move by. */
const PAGE_CHUNKS = 10;

/** Run the command of a key; return false if the key has none. */
export function pressKey(key: string, shift: boolean, timeline: TimelineCanvas, view: View): boolean {
  const newest = chunkCount(view.store.record) - 1;
  const { channel } = view;
  const { replay } = channel;
  // During playback the cursor is at the sound's position.
  const heard = replay.playing.peek() ? playedChunk(view) : null;
  const at = heard ?? view.hovered.value ?? view.selected.value ?? playedChunk(view);
  const go = (chunk: number) => {
    timeline.moveCursor(chunk);
    cue(view, view.hovered.peek());
  };
  const step = (chunks: number) => go(at === null ? newest : at + chunks);
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
      go(0);
      return true;
    case "End":
      go(newest);
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
      if (channel.ongoing) timeline.follow();
      else replay.setLooping(!replay.looping.peek());
      return true;
    case "o":
      replay.setLooping(!replay.looping.peek());
      return true;
    case " ":
      if (newest < 0) return false;
      replay.toggle();
      return true;
    case "[":
    case "]":
      if (at === null) return false;
      selectEdge(view, key === "[" ? "from_s" : "to_s", at);
      return true;
    case "Enter":
      if (at === null) return false;
      view.selected.value = at === view.selected.value ? null : at;
      return true;
    case "Escape":
      if (replay.span.peek() !== null) {
        replay.select(null);
        return true;
      }
      if (view.selected.value === null && view.hovered.value === null) return false;
      view.selected.value = null;
      timeline.pointAt(null);
      return true;
    default:
      return false;
  }
}

/** Return the cursor's pixel, which stays in place in zooming; undefined if the cursor is out of the window. */
function cursorX(timeline: TimelineCanvas, view: View): number | undefined {
  const chunk = view.hovered.value ?? view.selected.value;
  if (chunk === null) return undefined;
  const x = timeline.xOfChunk(chunk);
  const { left, width } = timeline.axis;
  return x >= left && x <= left + width ? x : undefined;
}
