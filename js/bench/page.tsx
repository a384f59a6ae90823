/**
 * Page with one timeline and a synthetic record, which measures frames or only shows the timeline. Driven by
 * `tests/browser/frames.py`.
 */

import { render } from "preact";
import { App } from "../src/app";
import type { KernelModel } from "../src/channel/link";
import { Conversation } from "../src/conversation";
import { watchTheme } from "../src/host/theme";
import { applyEvent } from "../src/record/record";
import { Timeline } from "../src/timeline/timeline";
import type { TimelineCanvas } from "../src/timeline/timeline-canvas";
import { createView } from "../src/view";
import { addChunks } from "./synthetic";

const noKernel: KernelModel = {
  get: () => undefined,
  on: () => {},
  off: () => {},
  send: () => {},
} as KernelModel;

const root = document.getElementById("widget") as HTMLElement;
const view = createView(new Conversation(noKernel));
let timeline: TimelineCanvas | null = null;

if (location.hash === "#app") {
  render(<App view={view} />, root);
} else {
  root.className = "aiw";
  watchTheme((theme) => {
    root.dataset.theme = theme;
    timeline?.restyle();
  });
  render(<Timeline view={view} onCanvas={(made) => (timeline = made)} />, root);
}

/** Run a step in each frame; return the milliseconds between frames. The first frames are not counted. */
async function frames(
  count: number,
  step: (frame: number, timeline: TimelineCanvas) => void,
): Promise<number[]> {
  const intervals: number[] = [];
  let before = 0;
  for (let frame = -5; frame <= count; frame++) {
    const now = await new Promise<number>((resolve) => requestAnimationFrame(resolve));
    if (frame > 0) intervals.push(now - before);
    before = now;
    if (timeline) step(frame, timeline);
  }
  return intervals;
}

const bench = {
  view,
  get timeline() {
    return timeline;
  },
  event: applyEvent,
  fill(chunks: number): void {
    addChunks(view.store.record, view.store.record.chunks.length, chunks);
    view.store.version.value += 1;
  },
  bytes: () => view.store.record.bytes,
  fit: () => timeline?.fit(),
  /** Show `seconds` from `start` on. */
  look(start: number, seconds: number): void {
    if (!timeline) return;
    view.following.value = false;
    timeline.zoomBy(timeline.axis.span / seconds, 0);
    timeline.panBy(start - timeline.axis.start);
  },
  /** Pan by 11 pixels a frame, to and fro. */
  pan: (count: number) =>
    frames(count, (frame, made) =>
      made.panBy(((frame % 120 < 60 ? 11 : -11) * made.axis.span) / made.axis.width),
    ),
  /** Zoom in and out by 4 % a frame around a point at a third of the width. */
  zoom: (count: number) =>
    frames(count, (frame, made) => made.zoomBy(frame % 180 < 90 ? 1.04 : 1 / 1.04, made.axis.width / 3)),
  /** Move the pointer: only the marks are drawn. */
  hover: (count: number) => frames(count, (frame, made) => made.pointAt((frame * 7) % made.axis.width)),
  /** Do nothing: nothing may be drawn. */
  idle: (count: number) => frames(count, () => {}),
};

declare global {
  interface Window {
    aiwBench: typeof bench;
  }
}
window.aiwBench = bench;
