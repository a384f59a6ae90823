import { describe, expect, it } from "vitest";
import { applyEvent, emptyRecord } from "../src/record/record";
import { readout } from "../src/store/readout";
import { FOLDED_HEIGHT, LANES, layoutOf, RULER_HEIGHT } from "../src/timeline/layout";
import { overviewAxis, windowMark, windowStart } from "../src/timeline/overview";
import * as time from "../src/timeline/time-axis";
import { chunkAt, visibleChunks } from "../src/timeline/visible";
import { chunk, decision, token } from "./fakes";

const axis: time.TimeAxis = { start: 4, span: 16, left: 80, width: 800 };

function recordOf(chunks: number) {
  const record = emptyRecord();
  for (let k = 0; k < chunks; k++) applyEvent(record, chunk(k));
  return record;
}

describe("the time axis", () => {
  it("maps seconds to pixels and back", () => {
    expect(time.xOf(axis, 4)).toBe(80);
    expect(time.xOf(axis, 20)).toBe(880);
    for (const seconds of [-3, 0, 7.3, 400]) {
      expect(time.timeAt(axis, time.xOf(axis, seconds))).toBeCloseTo(seconds);
    }
  });

  it("zooms around the pointer", () => {
    const before = time.timeAt(axis, 300);
    const closer = time.zoom(axis, 2, 300);
    expect(closer.span).toBe(8);
    expect(time.timeAt(closer, 300)).toBeCloseTo(before);
  });

  it("zooms within limits", () => {
    expect(time.zoom(axis, 1e6, 300).span).toBeGreaterThan(1);
    expect(time.zoom(axis, 1e-9, 300).span).toBeLessThanOrEqual(24 * 3600);
  });

  it("pans, but never away from the record", () => {
    expect(time.pan(axis, 3, 100).start).toBe(7);
    expect(time.pan(axis, 1e6, 100).start).toBe(92);
    expect(time.pan(axis, -1e6, 100).start).toBeGreaterThan(-2);
  });

  it("fits everything", () => {
    const fitted = time.fit(axis, 3600);
    expect(fitted.start).toBe(0);
    expect(fitted.span).toBeGreaterThan(3600);
  });

  it("keeps the newest chunk at the right", () => {
    expect(time.followStart(axis, 3)).toBe(0);
    const live = { ...axis, start: time.followStart(axis, 100) };
    expect(time.xOf(live, 100)).toBeLessThan(880);
    expect(time.xOf(live, 100)).toBeGreaterThan(820);
  });

  it("reveals with the smallest move", () => {
    expect(time.reveal(axis, 8, 8.4)).toBe(axis);
    expect(time.reveal(axis, 2, 2.4).start).toBeLessThan(2);
    const right = time.reveal(axis, 30, 30.4);
    expect(right.start + right.span).toBeGreaterThan(30.4);
  });

  it("labels in round steps, readably", () => {
    expect(time.tickStep(axis, 86)).toBe(2);
    expect(time.clockText(4)).toBe("4 s");
    expect(time.clockText(0.8, 0.4)).toBe("0.8 s");
    expect(time.clockText(80)).toBe("1:20");
    expect(time.clockText(3725)).toBe("1:02:05");
  });
});

describe("chunks on the axis", () => {
  it("are found by their pixel", () => {
    const record = recordOf(100);
    expect(chunkAt(record, axis, time.xOf(axis, 8.01))).toBe(20);
    expect(chunkAt(record, axis, time.xOf(axis, 8.39))).toBe(20);
    expect(chunkAt(record, axis, time.xOf(axis, 8.41))).toBe(21);
    expect(chunkAt(record, axis, 20)).toBeNull();
    expect(chunkAt(recordOf(3), axis, 300)).toBeNull();
    expect(chunkAt(emptyRecord(), axis, 300)).toBeNull();
  });

  it("are drawn only where they are in sight", () => {
    const { first, last } = visibleChunks(recordOf(9000), { ...axis, start: 1000 });
    expect(first).toBeGreaterThanOrEqual(2499);
    expect(last - first).toBeLessThanOrEqual(43);
  });

  it("read as words", () => {
    const record = recordOf(3);
    applyEvent(record, decision(2, { choice: "TEXT_BEGIN", p_text: 0.7421 }));
    applyEvent(record, token(0, 0, "Hi", { chunk: 2 }));
    applyEvent(record, { type: "notice", chunk: 2, kind: "limit", message: "Too long.", data: {} });
    expect(readout(record, 2)).toEqual({
      title: "chunk 2 · 0.8–1.2 s",
      span: "0.8–1.2 s",
      decision: "p(TEXT) 0.742 → speak",
      remarks: ["Too long.", "“Hi”"],
    });
    expect(readout(record, 1).decision).toBe("not decided yet");
    applyEvent(record, chunk(1, { flags: ["channels_cancel", "clipped"] }));
    expect(readout(record, 1).remarks).toEqual(["channels cancel, clipped"]);
    const hidden = readout(record, 2, { decision: 2, reply: 2 });
    expect(hidden).toMatchObject({ decision: "hidden until revealed", remarks: [] });
  });
});

describe("lanes", () => {
  it("lie below one another without gaps", () => {
    const { places, height } = layoutOf(new Set());
    expect(places[0]?.top).toBe(RULER_HEIGHT);
    places.forEach((place, i) => {
      expect(place.top + place.height).toBe(places[i + 1]?.top ?? height);
    });
    expect(places.map(({ lane }) => lane.id)).toEqual(LANES.map(({ id }) => id));
  });

  it("leave only their name when folded", () => {
    const all = layoutOf(new Set());
    const some = layoutOf(new Set(["heard", "latency"]));
    expect(some.places.filter(({ folded }) => folded).map(({ lane }) => lane.id)).toEqual([
      "heard",
      "latency",
    ]);
    const saved = LANES.filter(({ id }) => id === "heard" || id === "latency");
    expect(all.height - some.height).toBe(saved.reduce((sum, { height }) => sum + height - FOLDED_HEIGHT, 0));
  });
});

describe("the overview", () => {
  it("marks the window in sight, wide enough to be taken hold of", () => {
    const record = recordOf(9000);
    const strip = overviewAxis(record, 500);
    expect(strip.span).toBeCloseTo(3600);
    const middle = windowMark(strip, { ...axis, start: 1800, span: 360 });
    expect(middle.x).toBeCloseTo(250);
    expect(middle.width).toBeCloseTo(50);
    expect(windowMark(strip, { ...axis, start: 3599, span: 4 })).toEqual({ x: 490, width: 10 });
    expect(windowMark(strip, { ...axis, start: -10, span: 9000 })).toEqual({ x: 0, width: 500 });
  });

  it("leads to the place that is pointed at", () => {
    const strip = overviewAxis(recordOf(9000), 500);
    const start = windowStart(strip, axis, 250);
    expect(start + axis.span / 2).toBeCloseTo(1800);
  });
});
