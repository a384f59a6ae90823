// @vitest-environment happy-dom
/** The replay bar, the keys and gestures of the replay, and the what-if panel. */
import { render, type VNode } from "preact";
import { describe, expect, it, vi } from "vitest";
import { RecordChannel, readHeader } from "../src/channel/record-channel";
import { ReplayBar } from "../src/panels/replay-bar";
import { WhatIfPanel } from "../src/panels/what-if";
import type { Rule, SessionEvent } from "../src/record/events";
import { pressKey } from "../src/timeline/keys";
import { cue, playedChunk, selectEdge, spanBetween } from "../src/timeline/replay-cursor";
import type { TimelineCanvas } from "../src/timeline/timeline-canvas";
import { createView, type View } from "../src/view";
import { chunk, decision } from "./fakes";
import { drawn, showPanel } from "./view";

const RULE: Rule = { greedy: true, temperature: 1, top_k: null, top_p: 1, bias: 0, mask: true, seed: 0 };
const EVENTS: SessionEvent[] = [0, 1, 2, 3, 4].flatMap((k) => [
  chunk(k),
  decision(k, { rule: RULE, draw: null, logit_text: k === 2 ? 2 : -9 }),
]);

function recordView(): View<RecordChannel> {
  return createView(
    new RecordChannel(readHeader({ format: 1, title: "A talk" }), { events: EVENTS, mels: new Map() }, null),
  );
}

async function show(panel: (view: View<RecordChannel>) => VNode) {
  const view = recordView();
  const el = document.createElement("div");
  document.body.append(el);
  render(panel(view), el);
  await drawn();
  const find = <T extends HTMLElement>(name: string) => el.querySelector(`[data-testid="${name}"]`) as T;
  return { view, el, find };
}

/** A timeline that remembers where the cursor was put. */
function timelineOf(view: View): TimelineCanvas {
  const moveCursor = (to: number) => {
    view.hovered.value = Math.max(0, Math.min(4, to));
  };
  const follow = vi.fn();
  return { moveCursor, follow, pointAt: vi.fn(), axis: { start: 0, span: 2, left: 0, width: 200 } } as never;
}

describe("the replay bar", () => {
  it("plays and pauses, at a speed, in a loop", async () => {
    const { view, find } = await show((shown) => <ReplayBar view={shown} />);
    const { replay } = view.channel;
    expect(find("replay-position").textContent).toBe("0:00.0 / 0:02.0");
    find("replay-play").click();
    await drawn();
    expect([replay.playing.value, find("replay").dataset.playing]).toEqual([true, "true"]);
    find("replay-play").click();
    const speed = find<HTMLSelectElement>("replay-speed");
    speed.value = "2";
    speed.dispatchEvent(new Event("change", { bubbles: true }));
    find("replay-loop").click();
    await drawn();
    expect([replay.playing.value, replay.speed.value, replay.looping.value]).toEqual([false, 2, true]);
    expect(find("replay-loop").getAttribute("aria-pressed")).toBe("true");
  });

  it("shows the selected span and lets go of it", async () => {
    const { view, el, find } = await show((shown) => <ReplayBar view={shown} />);
    expect(find("replay-span")).toBeNull();
    view.channel.replay.select({ from_s: 0.4, to_s: 1.2 });
    await drawn();
    expect(find("replay-span").textContent).toContain("0:00.4 – 0:01.2");
    el.querySelector<HTMLButtonElement>('[aria-label="Clear the selection (Escape)"]')?.click();
    expect(view.channel.replay.span.value).toBeNull();
  });

  it("is not there for a session without chunks, without a kernel, or while audio comes", async () => {
    const live = await showPanel((view) => <ReplayBar view={view} />);
    expect(live.el.innerHTML).toBe("");
    await live.add(chunk(0));
    expect(live.find("replay")).not.toBeNull();
    live.view.store.track.value = {};
    await drawn();
    expect(live.find("replay")).toBeNull();
    live.view.store.track.value = null;
    live.view.store.saved.value = true;
    await drawn();
    expect(live.find("replay")).toBeNull();
  });
});

describe("keys of the replay", () => {
  it("space plays, arrows move the cursor, L and O loop, brackets select, Escape selects nothing", () => {
    const view = recordView();
    const timeline = timelineOf(view);
    const { replay } = view.channel;
    const press = (key: string) => pressKey(key, false, timeline, view);
    expect(press(" ")).toBe(true);
    expect(replay.playing.value).toBe(true);
    press(" ");
    press("Home");
    press("ArrowRight");
    expect([replay.position.value, playedChunk(view)]).toEqual([0.4, 1]);
    press("[");
    press("ArrowRight");
    press("]");
    expect(replay.span.value?.from_s).toBeCloseTo(0.4);
    expect(replay.span.value?.to_s).toBeCloseTo(1.2);
    press("l");
    expect(replay.looping.value).toBe(true);
    press("o");
    expect(replay.looping.value).toBe(false);
    press("Escape");
    expect(replay.span.value).toBeNull();
    press("End");
    expect(replay.position.value).toBeCloseTo(1.6);
  });

  it("a session's arrows move the replay only once it was used, and L follows the newest chunk", async () => {
    const { view } = await showPanel((shown) => <ReplayBar view={shown} />, [chunk(0), chunk(1)]);
    const timeline = timelineOf(view);
    pressKey("Home", false, timeline, view);
    expect(view.channel.replay.position.value).toBeNull();
    pressKey("l", false, timeline, view);
    expect(timeline.follow).toHaveBeenCalled();
    view.channel.replay.seek(0);
    cue(view, 1);
    expect(view.channel.replay.position.value).toBe(0.4);
  });
});

it("a span has whole chunks, and lies within the record", () => {
  const { record } = recordView().store;
  const axis = { start: -0.4, span: 4, left: 0, width: 400 };
  const span = spanBetween(record, axis, 150, 90);
  expect(span?.from_s).toBeCloseTo(0.4);
  expect(span?.to_s).toBeCloseTo(1.2);
  expect(spanBetween(record, axis, 0, 999)).toEqual({ from_s: 0, to_s: 2 });
  expect(spanBetween(record, axis, 300, 350)).toBeNull();
});

it("an edge behind the other one moves that one to the end of the record", () => {
  const view = recordView();
  const { replay } = view.channel;
  selectEdge(view, "to_s", 1);
  expect(replay.span.value).toEqual({ from_s: 0, to_s: 0.8 });
  selectEdge(view, "from_s", 3);
  expect(replay.span.value?.from_s).toBeCloseTo(1.2);
  expect(replay.span.value?.to_s).toBe(2);
});

describe("the what-if panel", () => {
  it("says which decisions another bias changes, and shows them one by one", async () => {
    const { view, el, find } = await show((shown) => <WhatIfPanel view={shown} />);
    const shownChunks: number[] = [];
    view.showChunk = (k) => shownChunks.push(k);
    const details = find<HTMLDetailsElement>("what-if");
    details.open = true;
    details.dispatchEvent(new Event("toggle"));
    await drawn();
    const bias = find<HTMLInputElement>("what-if-bias");
    bias.value = "2";
    bias.dispatchEvent(new Event("input", { bubbles: true }));
    await drawn();
    expect(view.flips.value?.changed).toEqual([{ chunk: 2, choice: "TEXT_BEGIN" }]);
    expect(find("what-if-result").textContent).toContain("1 of 5 decisions would be different.");
    expect(find("what-if-result").textContent).toContain("chunk 2 (0:00.8): silent → speak");
    find("what-if-next").click();
    expect(shownChunks).toEqual([2]);
    el.querySelector<HTMLButtonElement>('[aria-label="Bias as recorded"]')?.click();
    await drawn();
    expect(view.flips.value).toBeNull();
  });

  it("marks nothing in the timeline once it is closed", async () => {
    const { view, find } = await show((shown) => <WhatIfPanel view={shown} />);
    view.whatIf.value = { ...view.whatIf.value, threshold: 1e-6 };
    expect(view.flips.value?.changed.length).toBe(5);
    find<HTMLDetailsElement>("what-if").dispatchEvent(new Event("toggle"));
    expect(view.flips.value).toBeNull();
  });
});
