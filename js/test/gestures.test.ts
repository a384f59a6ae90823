// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Conversation } from "../src/conversation";
import { addEvents } from "../src/store/store";
import { foldedLanes, toggleLane } from "../src/timeline/folding";
import { attachGestures } from "../src/timeline/gestures";
import * as time from "../src/timeline/time-axis";
import { TimelineCanvas } from "../src/timeline/timeline-canvas";
import { createView, type View } from "../src/view";
import { FakeCanvas, stubPictures } from "./fake-canvas";
import { chunk, decision, FakeModel } from "./fakes";

const WIDTH = 800;
let frames: FrameRequestCallback[] = [];
let surface: HTMLElement;
let view: View;
let marks: FakeCanvas;
let timeline: TimelineCanvas;

/** Runs the frames that are asked for. */
function runFrames(): void {
  const due = frames;
  frames = [];
  for (const frame of due) frame(0);
}

/** Lets time pass until no frame is asked for, now or later; returns how many there were. */
function settleFrames(): number {
  let count = 0;
  while (frames.length > 0 || vi.getTimerCount() > 0) {
    if (frames.length > 0) count += 1;
    runFrames();
    vi.advanceTimersByTime(16);
    if (count > 500) throw new Error("It never stops drawing.");
  }
  return count;
}

beforeEach(() => {
  frames = [];
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  vi.stubGlobal("requestAnimationFrame", (frame: FrameRequestCallback) => frames.push(frame));
  vi.stubGlobal("cancelAnimationFrame", () => {});
  stubPictures();
  const drawnOn = new Map<HTMLCanvasElement, FakeCanvas>();
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockImplementation(function (this: HTMLCanvasElement) {
    const fake = drawnOn.get(this) ?? new FakeCanvas();
    drawnOn.set(this, fake);
    return fake.context as never;
  });
  const canvas = () => {
    const made = document.createElement("canvas");
    Object.defineProperty(made, "clientWidth", { value: WIDTH });
    return made;
  };
  surface = document.createElement("div");
  document.body.append(surface);
  view = createView(new Conversation(new FakeModel()));
  const events = Array.from({ length: 300 }, (_, k) => [chunk(k), decision(k)]).flat();
  addEvents(view.store, events);
  const canvases = { lanes: canvas(), marks: canvas(), overview: canvas() };
  timeline = new TimelineCanvas(canvases, surface, view);
  marks = drawnOn.get(canvases.marks) as FakeCanvas;
  attachGestures(surface, timeline, view);
  settleFrames();
});

afterEach(() => {
  timeline.end();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  document.body.replaceChildren();
});

function pointer(type: string, x: number, id = 1): void {
  surface.dispatchEvent(new PointerEvent(type, { clientX: x, pointerId: id, button: 0, bubbles: true }));
}

/** Made by hand: the test's page knows no keys or places of a wheel. */
function wheel(init: WheelEventInit): Event {
  const event = new Event("wheel", { bubbles: true, cancelable: true });
  const nothing = {
    deltaX: 0,
    deltaY: 0,
    deltaMode: 0,
    clientX: 0,
    ctrlKey: false,
    metaKey: false,
    shiftKey: false,
  };
  surface.dispatchEvent(Object.assign(event, nothing, init));
  return event;
}

function press(key: string, more: KeyboardEventInit = {}): void {
  surface.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
}

const middle = () => time.timeAt(timeline.axis, WIDTH / 2);

describe("drawing", () => {
  it("stops when nothing changes", () => {
    const before = timeline.frames.all;
    expect(settleFrames()).toBe(0);
    timeline.invalidate();
    timeline.invalidate();
    expect(settleFrames()).toBe(1);
    expect(timeline.frames.all).toBe(before + 1);
  });

  it("leaves the lanes alone where only the pointer moves", () => {
    const before = { ...timeline.frames };
    pointer("pointermove", 300);
    settleFrames();
    expect(timeline.frames.lanes).toBe(before.lanes);
    expect(timeline.frames.all).toBe(before.all + 1);
    expect(view.hovered.value).not.toBeNull();
  });

  it("follows the newest chunk, and tells that it is on screen", () => {
    const painted = vi.spyOn(view.store.latency, "painted");
    addEvents(view.store, [chunk(300), decision(300)]);
    settleFrames();
    const { start, span } = timeline.axis;
    expect(start + span).toBeGreaterThan(301 * 0.4);
    expect(start + span).toBeLessThan(301 * 0.4 + 1);
    expect(painted).toHaveBeenCalled();
  });

  it("shows a decision in the next frame, and what else comes with one a little later", () => {
    const { lanes } = timeline.frames;
    addEvents(view.store, [chunk(300)]);
    expect(frames).toHaveLength(0);
    addEvents(view.store, [decision(300)]);
    expect(frames).toHaveLength(1);
    runFrames();
    expect(timeline.frames.lanes).toBe(lanes + 1);
    // The glide to the new chunk is far from one step a frame.
    const steps = settleFrames();
    expect(steps).toBeGreaterThan(2);
    expect(steps).toBeLessThan(9);
    addEvents(view.store, [chunk(301)]);
    expect(settleFrames()).toBeGreaterThan(0);
    expect(timeline.axis.start + timeline.axis.span).toBeGreaterThan(302 * 0.4);
  });

  it("puts the marks on screen anew only where there are any, or were", () => {
    const clears = () => marks.named("clearRect").length;
    const before = clears();
    timeline.panBy(-3);
    settleFrames();
    expect(clears()).toBe(before);
    pointer("pointermove", 300);
    settleFrames();
    pointer("pointerleave", 300);
    settleFrames();
    expect(clears()).toBe(before + 2);
    timeline.panBy(-3);
    settleFrames();
    expect(clears()).toBe(before + 2);
  });

  it("moves the hovered chunk along when the lanes move under a resting pointer", () => {
    pointer("pointermove", 300);
    settleFrames();
    const before = view.hovered.value as number;
    addEvents(view.store, [chunk(300), chunk(301), chunk(302)]);
    settleFrames();
    expect(view.hovered.value).toBe(before + 3);
  });
});

describe("the pointer", () => {
  it("drags the lanes, and lets go of the newest chunk", () => {
    const before = timeline.axis.start;
    pointer("pointerdown", 400);
    pointer("pointermove", 500);
    pointer("pointerup", 500);
    expect(timeline.axis.start).toBeCloseTo(before - 100 / time.pixelsPerSecond(timeline.axis));
    expect(view.following.value).toBe(false);
    expect(view.selected.value).toBeNull();
  });

  it("picks a chunk by a click, and lets it go by another", () => {
    pointer("pointerdown", 400);
    pointer("pointermove", 402);
    pointer("pointerup", 402);
    const picked = view.selected.value as number;
    expect(picked).toBe(Math.floor(time.timeAt(timeline.axis, 402) / 0.4));
    pointer("pointerdown", 402);
    pointer("pointerup", 402);
    expect(view.selected.value).toBeNull();
  });

  it("zooms with two fingers, and picks nothing", () => {
    timeline.panBy(-20);
    const { span } = timeline.axis;
    const before = middle();
    pointer("pointerdown", 300, 1);
    pointer("pointerdown", 500, 2);
    pointer("pointermove", 200, 1);
    pointer("pointermove", 600, 2);
    expect(timeline.axis.span).toBeCloseTo(span / 2);
    expect(middle()).toBeCloseTo(before);
    pointer("pointerup", 200, 1);
    pointer("pointerup", 600, 2);
    expect(view.selected.value).toBeNull();
  });
});

describe("the wheel", () => {
  it("zooms around the pointer with ctrl, and with the focus", () => {
    timeline.panBy(-20);
    for (const focused of [false, true]) {
      const { span } = timeline.axis;
      const under = time.timeAt(timeline.axis, 200);
      if (focused) {
        surface.tabIndex = 0;
        surface.focus();
      }
      const event = wheel({ deltaY: -20, clientX: 200, ctrlKey: !focused });
      expect(event.defaultPrevented).toBe(true);
      expect(timeline.axis.span).toBeLessThan(span);
      expect(time.timeAt(timeline.axis, 200)).toBeCloseTo(under);
    }
  });

  it("scrolls the page otherwise", () => {
    const { axis } = timeline;
    expect(wheel({ deltaY: 40, clientX: 200 }).defaultPrevented).toBe(false);
    expect(timeline.axis).toBe(axis);
  });

  it("pans sideways, and with shift", () => {
    for (const init of [{ deltaX: -40 }, { deltaY: -40, shiftKey: true }]) {
      const { start } = timeline.axis;
      expect(wheel(init).defaultPrevented).toBe(true);
      expect(timeline.axis.start).toBeCloseTo(start - 40 / time.pixelsPerSecond(timeline.axis));
    }
  });
});

describe("keys", () => {
  it("walk from chunk to chunk and bring them into sight", () => {
    press("Home");
    expect(view.hovered.value).toBe(0);
    expect(timeline.axis.start).toBe(0);
    press("ArrowRight");
    press("PageUp");
    expect(view.hovered.value).toBe(11);
    press("ArrowLeft");
    press("Enter");
    expect(view.selected.value).toBe(10);
    press("End");
    expect(view.hovered.value).toBe(299);
    expect(timeline.axis.start + timeline.axis.span).toBeGreaterThan(120);
    press("Escape");
    expect([view.selected.value, view.hovered.value]).toEqual([null, null]);
  });

  it("zoom around the cursor, fit and follow", () => {
    press("End");
    const { span } = timeline.axis;
    const x = timeline.xOfChunk(299);
    press("-");
    expect(timeline.axis.span).toBeCloseTo(span * 1.4);
    expect(timeline.xOfChunk(299)).toBeCloseTo(x);
    press("+");
    expect(timeline.axis.span).toBeCloseTo(span);
    press("F");
    expect(timeline.axis.span).toBeGreaterThan(120);
    expect(view.following.value).toBe(false);
    press("l");
    expect(view.following.value).toBe(true);
    expect(timeline.axis.span).toBe(time.DEFAULT_SPAN_S);
  });

  it("stay following, and as wide, when zoomed out while following", () => {
    for (let i = 0; i < 12; i++) press("-");
    settleFrames();
    expect(view.following.value).toBe(true);
    expect(timeline.axis.span).toBeGreaterThan(500);
  });

  it("leave combinations to the page", () => {
    const { axis } = timeline;
    press("f", { ctrlKey: true });
    press("q");
    expect(timeline.axis).toBe(axis);
  });
});

describe("folding", () => {
  it("belongs to a view, and is remembered for the next one", () => {
    const other = createView(view.channel);
    foldedLanes(other);
    toggleLane(view, "heard");
    expect([...foldedLanes(view).value]).toEqual(["heard"]);
    expect([...foldedLanes(other).value]).toEqual([]);
    expect([...foldedLanes(createView(view.channel)).value]).toEqual(["heard"]);
    toggleLane(view, "heard");
    expect([...foldedLanes(view).value]).toEqual([]);
  });
});
