/** Pointer, wheel and keys on the timeline. The page's own vertical scrolling is left alone. */
import { chunkCount } from "../talk";
import type { View } from "../view";
import { pixelsPerSecond } from "./time-axis";
import type { TimelineCanvas } from "./timeline-canvas";

/** A press that moves less than this is a click. */
const CLICK_PX = 4;
const ZOOM_STEP = 1.4;

export function attachGestures(element: HTMLElement, timeline: TimelineCanvas, view: View): () => void {
  let dragged: { x: number; moved: boolean } | null = null;
  const xIn = (event: MouseEvent) => event.clientX - element.getBoundingClientRect().left;

  const pointerDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    dragged = { x: event.clientX, moved: false };
    element.setPointerCapture(event.pointerId);
  };
  const pointerMove = (event: PointerEvent) => {
    timeline.pointAt(dragged?.moved ? null : xIn(event));
    if (!dragged) return;
    const way = event.clientX - dragged.x;
    if (!dragged.moved && Math.abs(way) < CLICK_PX) return;
    dragged = { x: event.clientX, moved: true };
    timeline.panBy(-way / pixelsPerSecond(timeline.axis));
  };
  const pointerUp = (event: PointerEvent) => {
    const click = dragged && !dragged.moved;
    dragged = null;
    if (!click) return;
    const chunk = timeline.pointAt(xIn(event));
    if (chunk !== null) view.selected.value = chunk === view.selected.value ? null : chunk;
  };
  const pointerLeave = () => {
    if (!dragged) timeline.pointAt(null);
  };
  const pointerCancel = () => {
    dragged = null;
    timeline.pointAt(null);
  };

  const wheel = (event: WheelEvent) => {
    const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
    if (event.ctrlKey || event.metaKey) {
      // A pinch on a touch pad arrives as a wheel with ctrl.
      event.preventDefault();
      timeline.zoomBy(Math.exp(-event.deltaY * 0.01), xIn(event));
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      timeline.panBy(sideways / pixelsPerSecond(timeline.axis));
    }
  };

  const keyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (!pressKey(event.key, event.shiftKey, timeline, view)) return;
    event.preventDefault();
    event.stopPropagation();
  };

  element.addEventListener("pointerdown", pointerDown);
  element.addEventListener("pointermove", pointerMove);
  element.addEventListener("pointerup", pointerUp);
  element.addEventListener("pointercancel", pointerCancel);
  element.addEventListener("pointerleave", pointerLeave);
  element.addEventListener("wheel", wheel, { passive: false });
  element.addEventListener("keydown", keyDown);
  return () => {
    element.removeEventListener("pointerdown", pointerDown);
    element.removeEventListener("pointermove", pointerMove);
    element.removeEventListener("pointerup", pointerUp);
    element.removeEventListener("pointercancel", pointerCancel);
    element.removeEventListener("pointerleave", pointerLeave);
    element.removeEventListener("wheel", wheel);
    element.removeEventListener("keydown", keyDown);
  };
}

/** Does what a key means on the timeline; false where it means nothing. */
function pressKey(key: string, shift: boolean, timeline: TimelineCanvas, view: View): boolean {
  const { talk } = view.store;
  const newest = chunkCount(talk) - 1;
  const at = view.hovered.value ?? view.selected.value;
  switch (key) {
    case "ArrowLeft":
    case "ArrowRight": {
      const step = key === "ArrowLeft" ? -1 : 1;
      if (shift) timeline.panBy((step * timeline.axis.span) / 4);
      else timeline.moveCursor(at === null ? newest : at + step);
      return true;
    }
    case "Home":
      timeline.moveCursor(0);
      return true;
    case "End":
      timeline.moveCursor(newest);
      return true;
    case "+":
    case "=":
      timeline.zoomBy(ZOOM_STEP);
      return true;
    case "-":
    case "_":
      timeline.zoomBy(1 / ZOOM_STEP);
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
