/** Pointer, wheel and touch on the timeline. The page's vertical scrolling is not affected. */
import { claim, isCommand } from "../host/claim";
import type { View } from "../view";
import { pressKey } from "./keys";
import { cue, spanBetween } from "./replay-cursor";
import { pixelsPerSecond } from "./time-axis";
import type { TimelineCanvas } from "./timeline-canvas";

/** Movement below which a press is a click, in pixels: fingers and mice move a little in pressing. */
const CLICK_PX = 4;
/** Smallest distance of two fingers for zooming, in pixels: below it their ratio is too noisy. */
const SMALLEST_PINCH_PX = 24;
/** Pixels per unit of `WheelEvent.deltaMode`: pixel, line, page. */
const WHEEL_UNITS = [1, 16, 400] as const;

export function attachGestures(element: HTMLElement, timeline: TimelineCanvas, view: View): () => void {
  const ended = new AbortController();
  // Not passive: a wheel event that zooms must not scroll the page.
  const options = { signal: ended.signal, passive: false };
  const xIn = (event: { clientX: number }) => event.clientX - element.getBoundingClientRect().left;
  /** Last place of each pressed pointer, by pointer id. */
  const down = new Map<number, number>();
  let moved = false;
  /** Start of a selection, in pixels; null while a drag moves the window. */
  let from: number | null = null;

  const start = (event: PointerEvent) => {
    if (event.button !== 0) return;
    down.set(event.pointerId, event.clientX);
    // With a second finger the gesture is a pinch, never a click.
    moved = down.size > 1;
    const selects = event.shiftKey || view.selecting.peek();
    from = selects && down.size === 1 ? xIn(event) : null;
    element.setPointerCapture?.(event.pointerId);
  };
  const move = (event: PointerEvent) => {
    const before = down.get(event.pointerId);
    if (before === undefined) {
      timeline.pointAt(xIn(event));
    } else if (down.size === 1) {
      const way = event.clientX - before;
      if (!moved && Math.abs(way) < CLICK_PX) return;
      moved = true;
      timeline.pointAt(null);
      if (from !== null) {
        view.channel.replay.select(spanBetween(view.store.record, timeline.axis, from, xIn(event)));
        return;
      }
      timeline.panBy(-way / pixelsPerSecond(timeline.axis));
      down.set(event.pointerId, event.clientX);
    } else {
      const old = spread(down);
      down.set(event.pointerId, event.clientX);
      const now = spread(down);
      timeline.panBy(-(now.middle - old.middle) / pixelsPerSecond(timeline.axis));
      if (old.width > SMALLEST_PINCH_PX && now.width > SMALLEST_PINCH_PX) {
        timeline.zoomBy(now.width / old.width, xIn({ clientX: now.middle }));
      }
    }
  };
  const end = (event: PointerEvent) => {
    if (!down.delete(event.pointerId) || moved || down.size > 0) return;
    const chunk = timeline.pointAt(xIn(event));
    if (chunk === null) return;
    view.selected.value = chunk === view.selected.value ? null : chunk;
    cue(view, chunk);
  };
  const leave = (event: PointerEvent) => {
    if (!down.has(event.pointerId)) timeline.pointAt(null);
  };
  const cancel = (event: PointerEvent) => {
    down.delete(event.pointerId);
    timeline.pointAt(null);
  };

  const wheel = (event: WheelEvent) => {
    const unit = WHEEL_UNITS[event.deltaMode] ?? 1;
    // A pinch on a touch pad arrives as a wheel event with ctrl. The plain wheel zooms while the timeline has the
    // focus.
    const pinch = event.ctrlKey || event.metaKey;
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (sideways && !pinch) {
      const way = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
      timeline.panBy((way * unit) / pixelsPerSecond(timeline.axis));
    } else if (pinch || document.activeElement === element || element.matches(":focus")) {
      timeline.zoomBy(Math.exp(-event.deltaY * unit * (pinch ? 0.01 : 0.0025)), xIn(event));
    } else {
      return;
    }
    event.preventDefault();
  };

  const keyDown = (event: KeyboardEvent) => {
    if (isCommand(event)) return;
    if (!pressKey(event.key, event.shiftKey, timeline, view)) return;
    claim(event);
  };

  const handlers = {
    pointerdown: start,
    pointermove: move,
    pointerup: end,
    pointercancel: cancel,
    pointerleave: leave,
    wheel,
    keydown: keyDown,
  };
  for (const [type, handler] of Object.entries(handlers)) {
    element.addEventListener(type, handler as (event: Event) => void, options);
  }
  return () => ended.abort();
}

/** Return middle and width of the pressed pointers. */
function spread(down: ReadonlyMap<number, number>): { middle: number; width: number } {
  const places = [...down.values()];
  const [least, most] = [Math.min(...places), Math.max(...places)];
  return { middle: (least + most) / 2, width: most - least };
}
