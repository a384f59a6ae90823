import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { applyEvent } from "../src/record/record";
import { NOTHING_HIDDEN } from "../src/store/hidden";
import { layoutOf } from "../src/timeline/layout";
import { Patterns } from "../src/timeline/patterns";
import { TileCache, type TileScene, tileWidth } from "../src/timeline/tiles";
import type { TimeAxis } from "../src/timeline/time-axis";
import { FakeCanvas, longRecord, PALETTE, stubDrawing } from "./fake-canvas";
import { chunk, decision } from "./fakes";

const axis: TimeAxis = { start: 100, span: 16, left: 0, width: 1000 };
let made: FakeCanvas[] = [];

beforeEach(() => {
  made = stubDrawing();
});
afterEach(() => {
  vi.unstubAllGlobals();
});

function setUp(chunks = 400) {
  const target = new FakeCanvas();
  const scene: TileScene = {
    record: longRecord(chunks),
    palette: PALETTE,
    patterns: new Patterns(target.context, PALETTE, 1),
    layout: layoutOf(new Set()),
    hidden: NOTHING_HIDDEN,
    scale: 1,
  };
  let clock = 0;
  const tiles = new TileCache(() => clock);
  /** Draws once; tells how many tiles were drawn for it. */
  const draw = (at: TimeAxis = axis, as: TileScene = scene) => {
    const before = tiles.drawn;
    const whole = tiles.draw(target.context, as, at);
    return { drawn: tiles.drawn - before, whole };
  };
  return { target, scene, tiles, draw, wait: (ms: number) => (clock += ms) };
}

describe("tiles", () => {
  it("are a whole number of device pixels wide, and of patterns", () => {
    for (const scale of [1, 1.25, 1.5, 2, 2.625, 3]) {
      const device = tileWidth(scale) * scale;
      expect(Math.abs(device - Math.round(device))).toBeLessThan(1e-9);
      expect(device % (6 * Math.max(1, Math.round(scale)))).toBeCloseTo(0);
    }
  });

  it("are drawn once, and again only when one of their chunks has changed", () => {
    const { draw, scene } = setUp();
    expect(draw().drawn).toBe(5);
    expect(draw()).toEqual({ drawn: 0, whole: true });
    applyEvent(scene.record, decision(270, { choice: "OTHER" }));
    expect(draw().drawn).toBe(1);
    applyEvent(scene.record, decision(390));
    expect(draw().drawn).toBe(0);
  });

  it("are copied in panning; only what comes into sight is drawn", () => {
    const { draw, target } = setUp();
    draw();
    expect(draw({ ...axis, start: 101 }).drawn).toBe(0);
    expect(draw({ ...axis, start: 104 }).drawn).toBe(1);
    target.calls.length = 0;
    draw({ ...axis, start: 104 });
    const places = target.named("drawImage").map(({ args }) => args[1] as number);
    expect(places).toHaveLength(5);
    places.slice(1).forEach((x, i) => {
      expect(x - (places[i] as number)).toBeCloseTo(tileWidth(1));
    });
    expect(places[0]).toBeLessThanOrEqual(0);
  });

  it("follow a record that grows", () => {
    const { draw, scene } = setUp(250);
    const live = { ...axis, start: 90 };
    draw(live);
    applyEvent(scene.record, chunk(250));
    expect(draw(live).drawn).toBe(1);
    expect(draw(live).drawn).toBe(0);
  });

  it("take no more memory however far one pans", () => {
    const { draw, tiles } = setUp(2000);
    for (let start = 0; start < 800; start += 7) draw({ ...axis, start });
    expect(tiles.size).toBeLessThan(12);
    expect(made.length).toBeLessThan(40);
  });

  it("are all drawn anew for another theme, layout or hiding", () => {
    const { draw, scene } = setUp();
    draw();
    expect(draw(axis, { ...scene, layout: layoutOf(new Set(["input"])) }).drawn).toBe(5);
    expect(draw(axis, { ...scene, hidden: { decision: 3, reply: 3 } }).drawn).toBe(5);
  });

  it("stand in, stretched, while the scale changes; once it rests all are drawn within a tenth of a second", () => {
    const { draw, target, tiles, wait } = setUp();
    expect(draw()).toEqual({ drawn: 5, whole: true });
    const widths = () => target.named("drawImage").map(({ args }) => Math.round(args[3] as number));
    let span = 16;
    for (let frame = 0; frame < 8; frame++) {
      span /= 1.04;
      wait(16);
      target.calls.length = 0;
      expect(draw({ ...axis, span })).toEqual({ drawn: 0, whole: false });
      expect(new Set(widths())).toEqual(new Set([Math.round((tileWidth(1) * 16) / span)]));
    }
    const resting = { ...axis, span };
    let passed = 0;
    for (; !draw(resting).whole; passed += 16) wait(16);
    expect(passed).toBeLessThanOrEqual(100);
    target.calls.length = 0;
    expect(draw(resting)).toEqual({ drawn: 0, whole: true });
    expect(new Set(widths())).toEqual(new Set([tileWidth(1)]));
    expect(tiles.size).toBeLessThan(10);
  });

  it("are renewed one a frame where they are stretched far, and at once where there is a hole", () => {
    const { draw, wait } = setUp(4000);
    draw();
    wait(16);
    expect(draw({ ...axis, span: 8 })).toEqual({ drawn: 1, whole: false });
    wait(16);
    expect(draw({ ...axis, span: 7.9 })).toEqual({ drawn: 1, whole: false });
    wait(16);
    // Three times as many seconds: what was in sight covers a third of them.
    expect(draw({ ...axis, start: 84, span: 48 }).drawn).toBeGreaterThan(2);
  });

  it("take no more of a frame than it can bear, once the scale rests", () => {
    const { target, scene, wait } = setUp();
    const slow = new TileCache(() => wait(3) as number);
    const draw = (at: TimeAxis) => slow.draw(target.context, scene, at);
    expect(draw(axis)).toBe(true);
    const closer = { ...axis, start: 102, span: 10 };
    wait(100);
    let frames = 1;
    while (!draw(closer)) frames += 1;
    expect(frames).toBeGreaterThan(1);
    expect(frames).toBeLessThan(20);
    target.calls.length = 0;
    expect(draw(closer)).toBe(true);
    expect(new Set(target.named("drawImage").map(({ args }) => Math.round(args[3] as number)))).toEqual(
      new Set([tileWidth(1)]),
    );
  });

  it("show what changes right after a zoom in the next frame", () => {
    const { draw, scene, wait } = setUp();
    draw();
    const closer = { ...axis, span: 14 };
    wait(16);
    draw(closer);
    wait(100);
    while (!draw(closer).whole) wait(16);
    applyEvent(scene.record, decision(270, { choice: "OTHER" }));
    expect(draw(closer)).toEqual({ drawn: 1, whole: true });
  });

  it("are not drawn for folded lanes", () => {
    const { scene, target } = setUp();
    const folded = layoutOf(new Set(["input", "heard", "decision", "probability", "latency"]));
    made.length = 0;
    new TileCache().draw(target.context, { ...scene, layout: folded }, axis);
    expect(made.flatMap(({ calls }) => calls).filter(({ name }) => name === "fill")).toEqual([]);
  });
});
