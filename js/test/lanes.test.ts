import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { applyEvent, emptyRecord } from "../src/record/record";
import { eachStretch, levelFor, type Stretch } from "../src/timeline/lane";
import { contextLane } from "../src/timeline/lane-context";
import { decisionLane } from "../src/timeline/lane-decision";
import { heardLane } from "../src/timeline/lane-heard";
import { inputLane } from "../src/timeline/lane-input";
import { heightOf, latencyLane } from "../src/timeline/lane-latency";
import { probabilityLane, yOf } from "../src/timeline/lane-probability";
import { LANES } from "../src/timeline/layout";
import { ramp } from "../src/timeline/palette";
import { FakeCanvas, frameOf, longRecord, sharedRecord, stubDrawing } from "./fake-canvas";
import { chunk, decision, timing, turn } from "./fakes";

beforeEach(() => {
  stubDrawing();
});
afterEach(() => {
  vi.unstubAllGlobals();
});

const notice = (k: number, kind: string) =>
  ({ type: "notice", chunk: k, kind, message: `${kind}.`, data: {} }) as const;

describe("stretches", () => {
  it("are chunks when these are wide enough, else twice, four times as many", () => {
    const frame = frameOf(emptyRecord(), 0, 16);
    expect(levelFor(frame.axis, 3)).toBe(0);
    expect(levelFor({ ...frame.axis, span: 3600 }, 1)).toBe(4);
    expect(levelFor({ ...frame.axis, span: 320 }, 1)).toBe(0);
  });

  it("cover what is in sight without gaps, and are no more than there are pixels", () => {
    const record = sharedRecord(9000);
    for (const span of [4, 16, 100, 1000, 3600, 40_000]) {
      const frame = frameOf(record, 300, span);
      const found: Stretch[] = [];
      eachStretch(frame, 1, (stretch) => found.push(stretch));
      expect(found.length).toBeLessThanOrEqual(804);
      expect(found[0]?.x).toBeLessThanOrEqual(0);
      found.slice(1).forEach((stretch, i) => {
        const before = found[i] as Stretch;
        expect(stretch.from).toBe(before.to);
        expect(stretch.x).toBeCloseTo(before.x + before.width, 6);
      });
      const last = found.at(-1) as Stretch;
      expect(last.to === 9000 || last.x + last.width >= 800).toBe(true);
    }
  });

  it("of an empty record are none", () => {
    const seen = vi.fn();
    eachStretch(frameOf(emptyRecord(), 0, 16), 1, seen);
    expect(seen).not.toHaveBeenCalled();
  });
});

describe("every lane", () => {
  it.each(LANES.map((lane) => [lane.id, lane] as const))(
    "%s draws in the order of pixels, not of chunks",
    (_, lane) => {
      const record = sharedRecord(9000);
      for (let k = 3 * record.turns.length; k < 9000; k += 3) {
        applyEvent(record, notice(k, "context_slide"));
        applyEvent(record, turn(k, "Yes.", { chunk: k }));
      }
      const canvas = new FakeCanvas();
      const frame = frameOf(record, 0, 3600, canvas);
      lane.draw(frame);
      lane.drawFront?.(frame);
      expect(canvas.calls.length).toBeGreaterThan(0);
      // A path, a few rectangles or a word for each pixel, where there are eleven chunks.
      expect(canvas.calls.length).toBeLessThan(800 * 9);
    },
  );

  it.each(LANES.map((lane) => [lane.id, lane] as const))("%s draws an empty record", (_, lane) => {
    const frame = frameOf(emptyRecord(), 0, 16);
    lane.draw(frame);
    lane.drawFront?.(frame);
  });
});

describe("the input lane", () => {
  it("marks clipped audio and hatches what waited", () => {
    const record = emptyRecord();
    applyEvent(record, chunk(0, { flags: ["clipped"] }));
    applyEvent(record, chunk(1, { flags: ["waited"] }));
    const canvas = new FakeCanvas();
    const frame = frameOf(record, 0, 16, canvas);
    inputLane.draw(frame);
    const rects = canvas.named("fillRect");
    expect(rects.find(({ fill }) => fill === "colour-bad")?.args[0]).toBe(0);
    expect(rects.find(({ fill }) => fill === frame.patterns.of("waited"))?.args[0]).toBe(20);
  });

  it("is as tall as the loudest of many", () => {
    const record = longRecord(900);
    applyEvent(record, chunk(400, { envelope: [1] }));
    const canvas = new FakeCanvas();
    inputLane.draw(frameOf(record, 0, 3600, canvas));
    const highest = Math.min(...canvas.named("lineTo").map(({ args }) => args[1] as number));
    expect(highest).toBeCloseTo(104);
  });
});

describe("the heard lane", () => {
  it("draws a pixel a frame and band where there is room, else averages", () => {
    const record = sharedRecord(9000);
    const image = (span: number) => {
      const canvas = new FakeCanvas();
      heardLane.draw(frameOf(record, 400, span, canvas));
      return canvas.named("drawImage")[0]?.args as number[];
    };
    // Source: the image, its left, top, width and height.
    expect((image(4)[3] as number) % 10).toBe(0);
    expect(image(4)[3]).toBeLessThanOrEqual(14 * 10);
    expect(image(3200)[3]).toBeLessThan(810);
    expect(image(4)[4]).toBe(32);
  });

  it("leaves out what was not heard, and marks each flag in its own way", () => {
    const record = longRecord(4);
    applyEvent(record, chunk(5, { flags: ["gated", "late"] }));
    applyEvent(record, chunk(6, { flags: ["dropped"] }));
    const canvas = new FakeCanvas();
    const frame = frameOf(record, 0, 16, canvas);
    heardLane.draw(frame);
    expect(canvas.named("drawImage")[0]?.args[3]).toBe(4 * 10);
    const filled = canvas.named("fillRect").map(({ fill }) => fill);
    for (const flag of ["gated", "late", "dropped"] as const)
      expect(filled).toContain(frame.patterns.of(flag));
    expect(filled).not.toContain(frame.patterns.of("padded"));
  });

  it("shades from quiet to loud", () => {
    const made = ramp("a", "b", "c");
    expect(made).toHaveLength(1024);
    expect([...made.slice(0, 4)]).toEqual([10, 20, 30, 255]);
  });
});

describe("the decision lane", () => {
  const draw = (zoom: number, hiddenFrom = Number.POSITIVE_INFINITY) => {
    const record = longRecord(400);
    applyEvent(record, decision(30, { choice: "OTHER" }));
    const canvas = new FakeCanvas();
    const frame = {
      ...frameOf(record, 8, zoom, canvas),
      hidden: { decision: hiddenFrom, reply: hiddenFrom },
    };
    decisionLane.draw(frame);
    return {
      fills: canvas.calls.filter(({ name }) => name.startsWith("fill")).map(({ fill }) => fill),
      frame,
      canvas,
    };
  };

  it("shows silence, speech and violations each in its colour, near and far", () => {
    for (const zoom of [16, 2000]) {
      const { fills, canvas } = draw(zoom);
      expect(fills).toContain("colour-silent");
      expect(fills).toContain("colour-accent");
      if (zoom === 16) expect(canvas.named("stroke").length).toBeGreaterThan(0);
      else expect(fills).toContain("colour-bad");
    }
  });

  it("keeps to itself what step mode hides", () => {
    for (const zoom of [16, 2000]) {
      const { fills, frame } = draw(zoom, 0);
      expect(new Set(fills)).toEqual(new Set([frame.patterns.of("waited")]));
    }
  });
});

describe("the probability lane", () => {
  it("goes from the bottom (0) to the top (1)", () => {
    const band = { top: 100, height: 62 };
    expect(yOf(band, 0)).toBeGreaterThan(yOf(band, 0.5));
    expect(yOf(band, 1)).toBeGreaterThan(100);
    expect(yOf(band, 0)).toBeLessThan(162);
  });

  it("draws the line at which the draw flips, and its figure", () => {
    const record = emptyRecord();
    for (let k = 0; k < 10; k++) {
      applyEvent(record, decision(k, { p_other: 0, rule: { bias: k < 5 ? 0 : 1 } }));
    }
    const canvas = new FakeCanvas();
    const frame = frameOf(record, 0, 16, canvas);
    probabilityLane.draw(frame);
    probabilityLane.drawFront?.(frame);
    const heights = canvas.named("lineTo").map(({ args }) => args[1]);
    expect(heights).toContain(yOf(frame, 0.5));
    expect(heights).toContain(yOf(frame, 1 / (1 + Math.E)));
    expect(canvas.named("fillText")[0]?.args[0]).toBe("0.27");
  });

  it("never loses a peak in zooming out", () => {
    const record = longRecord(900);
    applyEvent(record, decision(432, { p_text: 1 }));
    const canvas = new FakeCanvas();
    const frame = frameOf(record, 0, 3600, canvas);
    probabilityLane.draw(frame);
    expect(canvas.named("lineTo").map(({ args }) => args[1])).toContain(yOf(frame, 1));
  });
});

describe("the latency lane", () => {
  it("stacks the parts in their order", () => {
    const record = emptyRecord();
    applyEvent(record, chunk(0));
    applyEvent(record, timing(0, 0, { queue_ms: 100, features_ms: 20, tower_ms: 40, decide_ms: 60 }));
    record.latency.takeWay(0, { capture: 50, uplink: null, downlink: 10, paint: 20 });
    const canvas = new FakeCanvas();
    const frame = frameOf(record, 0, 16, canvas);
    latencyLane.draw(frame);
    const bars = canvas.named("fillRect");
    expect(bars.map(({ fill }) => fill)).toEqual(
      ["capture", "queue", "features", "tower", "decide", "downlink", "paint"].map(
        (part) => `colour-part-${part}`,
      ),
    );
    const tall = bars.reduce((sum, { args }) => sum + (args[3] as number), 0);
    expect(tall).toBeCloseTo(heightOf(frame, 300));
    // Each stands on the one before.
    bars.slice(1).forEach(({ args }, i) => {
      expect((args[1] as number) + (args[3] as number)).toBeCloseTo(bars[i]?.args[1] as number);
    });
  });

  it("shows the slowest of many, and that it is over the top", () => {
    const canvas = new FakeCanvas();
    const frame = frameOf(sharedRecord(9000), 0, 3600, canvas);
    latencyLane.draw(frame);
    expect(canvas.calls.filter(({ name, fill }) => name === "moveTo" && fill === "colour-bad").length).toBe(
      90,
    );
    latencyLane.drawFront?.(frame);
    expect(canvas.named("fillText")[0]?.args[0]).toBe("400 ms");
  });
});

describe("the context lane", () => {
  it("names what happened, where there is room", () => {
    const record = longRecord(60);
    applyEvent(record, notice(20, "context_reset"));
    applyEvent(record, notice(4, "settings"));
    applyEvent(record, notice(21, "of_tomorrow"));
    const canvas = new FakeCanvas();
    contextLane.draw(frameOf(record, 0, 16, canvas));
    expect(canvas.named("fillText").map(({ args }) => args[0])).toEqual(["settings", "of tomorrow"]);
    expect(record.notices.map(({ chunk: k }) => k)).toEqual([4, 20, 21]);
  });

  it("shows a gap rather than what was said of the microphone beside it", () => {
    const record = longRecord(60);
    for (const kind of ["microphone", "microphone", "gap"]) applyEvent(record, notice(10, kind));
    const canvas = new FakeCanvas();
    contextLane.draw(frameOf(record, 0, 16, canvas));
    expect(canvas.named("fillText").map(({ args }) => args[0])).toEqual(["gap +2"]);
  });

  it("draws a run of slides as ticks on a line, with one word that stays in the window", () => {
    const record = emptyRecord();
    for (let k = 0; k < 60; k++) applyEvent(record, chunk(k));
    for (let k = 0; k < 60; k += 3) applyEvent(record, notice(k, "context_slide"));
    const words = (start: number, span: number) => {
      const canvas = new FakeCanvas();
      contextLane.draw(frameOf(record, start, span, canvas));
      return canvas.named("fillText").map(({ args }) => [args[0], args[1]]);
    };
    expect(words(0, 24)).toEqual([["slides", 3]]);
    expect(words(12, 8)).toEqual([["slides", 3]]);
    // Slides that are far apart are marks of their own.
    expect(words(0, 3).map(([word]) => word)).toEqual(["slide", "slide", "slide"]);
    const canvas = new FakeCanvas();
    contextLane.draw(frameOf(record, 0, 24, canvas));
    expect(canvas.named("fillRect").length).toBe(1 + 20);
    // Another notice stands out: the run ends before it.
    applyEvent(record, notice(31, "violation"));
    expect(words(0, 24).map(([word]) => word)).toEqual(["slides", "violation", "slides"]);
  });

  it("counts those that share a mark", () => {
    const record = longRecord(60);
    for (let i = 0; i < 5; i++) applyEvent(record, notice(10, "context_slide"));
    const canvas = new FakeCanvas();
    contextLane.draw(frameOf(record, 0, 16, canvas));
    expect(canvas.named("fillText").map(({ args }) => args[0])).toEqual(["slide +4"]);
    // The rarer one is what must be seen.
    applyEvent(record, notice(10, "violation"));
    canvas.calls.length = 0;
    contextLane.draw(frameOf(record, 0, 16, canvas));
    expect(canvas.named("fillText").map(({ args }) => args[0])).toEqual(["violation +5"]);
  });
});
