// @vitest-environment happy-dom
/** Onset curve and raster of seeds: the same numbers and sentences as Python's, their lanes, and who computes them. */
import { render } from "preact";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import CASES from "../../tests/vectors/onset.json";
import { AnalysisLanes } from "../src/branches/analysis-lanes";
import { ONSET_HEIGHT, paintOnset, paintSeeds, rasterHeight } from "../src/branches/analysis-picture";
import { RecordChannel, readHeader } from "../src/channel/record-channel";
import { Analyses } from "../src/panels/analyses";
import { WhatIfPanel } from "../src/panels/what-if";
import type { Rule, SessionEvent } from "../src/record/events";
import { onsetOf, onsetOfSilent, onsetText, readSeeds, seedsText } from "../src/record/onset";
import { applyEvent, emptyRecord } from "../src/record/record";
import { NO_CHANGE } from "../src/record/what-if";
import { NOTHING_HIDDEN } from "../src/store/hidden";
import type { Scene } from "../src/timeline/painter";
import type { TimelineCanvas } from "../src/timeline/timeline-canvas";
import { createView } from "../src/view";
import { FakeCanvas, frameOf, stubDrawing } from "./fake-canvas";
import { chunk, decision } from "./fakes";
import { recording } from "./recording";
import { drawn, showPanel } from "./view";

const RULE: Rule = { greedy: false, temperature: 1, top_k: null, top_p: 1, bias: 0, mask: true, seed: 0 };
const HEADER = { format: 1, title: "t", settings: {}, tokens: {}, notes: [] };

/** Silent chunks, each with p(TEXT_BEGIN) = 0.25. */
function silence(count: number): SessionEvent[] {
  return Array.from({ length: count }, (_, k) => [
    chunk(k),
    decision(k, { rule: RULE, logit_keep: Math.log(3), logit_text: 0, draw: 0.5 }),
  ]).flat();
}

const REPLY = [chunk(4), decision(4, { rule: RULE, choice: "TEXT_BEGIN" })];
const CURVE = { settings: { bias: 0.5 }, chunk: [0, 1], hazard: [0.5, 0.5] };
const RASTER = { settings: {}, seeds: [0, 1, 2], begun: [[1], [1, 3], []], decided: [4, 4, 4] };
const told = (more: object) => ({
  ...{ type: "analysed", what: "onset", state: "done", done: 0, total: 0, message: "" },
  ...{ onset: null, seeds: null },
  ...more,
});

/** A timeline that is never painted. */
const TIMELINE = { paintAlong: () => () => {}, invalidate: () => {} } as unknown as TimelineCanvas;

afterEach(() => {
  vi.unstubAllGlobals();
  document.body.replaceChildren();
});

describe("the numbers", () => {
  it.each(CASES.onset)("of a curve are Python's: $name", ({ hazard, first, never, text }) => {
    const curve = onsetOf([...hazard.keys()], hazard, {});
    curve.first.forEach((p, i) => {
      expect(p).toBeCloseTo(first[i] as number, 12);
    });
    expect(curve.never).toBeCloseTo(never, 12);
    expect(onsetText(curve)).toBe(text);
  });

  it.each(CASES.seeds)("of seeds are told as in Python: $name", (raster) => {
    const read = readSeeds(raster);
    expect(read && seedsText(read)).toBe(raster.text);
  });

  it("of a silent record follow from its logits, under a changed rule too", () => {
    const record = emptyRecord();
    for (const event of silence(3)) applyEvent(record, event);
    const curve = onsetOfSilent(record.decisions, NO_CHANGE);
    expect(curve?.first.map((p) => Math.round(p * 1e6) / 1e6)).toEqual([0.25, 0.1875, 0.140625]);
    const biased = onsetOfSilent(record.decisions, { ...NO_CHANGE, bias: Math.log(3) });
    expect(biased?.hazard[0]).toBeCloseTo(0.5, 12);
    expect(biased?.settings).toEqual({ bias: Math.log(3) });
    for (const event of REPLY) applyEvent(record, event);
    expect(onsetOfSilent(record.decisions, NO_CHANGE)).toBeNull();
  });

  it("that are no raster are refused", () => {
    expect(readSeeds({ seeds: [0], begun: [] })).toBeNull();
    expect(readSeeds({ seeds: [0], begun: [["<img>"]] })).toBeNull();
    expect(readSeeds(null)).toBeNull();
  });
});

describe("a widget", () => {
  const shown = async (events: readonly SessionEvent[]) => {
    const { model, conversation } = await recording();
    model.events(0, [...events]);
    const view = createView(conversation);
    const panel = await showPanel(() => (
      <>
        <Analyses view={view} />
        <AnalysisLanes view={view} timeline={TIMELINE} />
      </>
    ));
    return { ...panel, model, view };
  };

  it("asks the kernel, with the values of the what-if panel", async () => {
    const { find, model, view } = await shown([...silence(4), ...REPLY]);
    view.whatIf.value = { ...NO_CHANGE, bias: 2 };
    await drawn();
    find("onset-start").click();
    const count = find("seeds-count") as HTMLInputElement;
    count.value = "900";
    count.dispatchEvent(new Event("change", { bubbles: true }));
    await drawn();
    find("seeds-start").click();
    const asked = model
      .of("analyse")
      .map(({ what, action, settings, count }) => [what, action, settings, count]);
    expect(asked).toEqual([
      ["onset", "start", { bias: 2 }, 20],
      ["seeds", "start", { bias: 2 }, 100],
    ]);
  });

  it("shows progress, cancels, and says why there is no result", async () => {
    const { find, model, view } = await shown([...silence(4), ...REPLY]);
    model.say(told({ what: "seeds", state: "running", done: 3, total: 80 }));
    await drawn();
    expect(find("seeds-told").textContent).toContain("3 of 80 chunks");
    expect(view.channel.store.analyses.value.seeds?.state).toBe("running");
    find("seeds-cancel").click();
    expect(model.of("analyse")[0]).toMatchObject({ what: "seeds", action: "cancel" });
    model.say(told({ what: "seeds", state: "cancelled", message: "The analysis was cancelled." }));
    await drawn();
    expect(find("seeds-told").textContent).toBe("Raster of seeds: The analysis was cancelled.");
    expect(find("lane-seeds")).toBeNull();
  });

  it("shows the results in lanes with a sentence, until they are closed or the record is another", async () => {
    const { find, model, view } = await shown([...silence(4), ...REPLY]);
    model.say(told({ onset: CURVE }));
    model.say(told({ what: "seeds", seeds: RASTER }));
    await drawn();
    expect(find("lane-onset").textContent).toContain("bias 0.5");
    expect(find("lane-onset").textContent).toContain("after chunk 0 (0.4 s): 50.0\u00a0%");
    expect(find("lane-seeds").textContent).toContain("2 of 3 seeds reply");
    find("close-onset").click();
    await drawn();
    expect(find("lane-onset")).toBeNull();
    find("onset-start").click();
    await drawn();
    expect(find("lane-onset")).not.toBeNull();
    model.say(told({ state: "none" }));
    await drawn();
    expect(find("lane-onset")).toBeNull();
    model.welcome();
    expect(view.store.analyses.value).toEqual({});
  });

  it("computes the curve of a silent record itself, and follows the sliders", async () => {
    const { find, model, view } = await shown(silence(3));
    find("onset-start").click();
    await drawn();
    expect(model.of("analyse")).toEqual([]);
    expect(find("lane-onset").textContent).toContain("after chunk 0 (0.4 s): 25.0\u00a0%");
    view.whatIf.value = { ...NO_CHANGE, bias: Math.log(3) };
    await drawn();
    expect(find("lane-onset").textContent).toContain("50.0\u00a0%");
  });
});

describe("an exported page", () => {
  const page = (header: object, events: SessionEvent[]) => {
    const record = { events, mels: new Map() };
    const view = createView(new RecordChannel(readHeader({ ...HEADER, ...header }), record, null));
    const root = document.createElement("div");
    document.body.append(root);
    render(
      <>
        <WhatIfPanel view={view} />
        <AnalysisLanes view={view} timeline={TIMELINE} />
      </>,
      root,
    );
    const find = (name: string) => root.querySelector<HTMLElement>(`[data-testid="${name}"]`);
    const open = async () => {
      (find("what-if") as HTMLDetailsElement).open = true;
      find("what-if")?.dispatchEvent(new Event("toggle"));
      await drawn();
    };
    return { find, open };
  };

  it("shows what was computed before", () => {
    const { find } = page({ analyses: { onset: CURVE, seeds: RASTER } }, [...silence(4), ...REPLY]);
    expect(find("lane-onset")?.textContent).toContain("50.0\u00a0%");
    expect(find("lane-seeds")?.textContent).toContain("2 of 3 seeds");
  });

  it("says what needs the model", async () => {
    const { find, open } = page({ analyses: { seeds: "<img>" } }, [...silence(4), ...REPLY]);
    await open();
    expect(find("analyses-none")?.textContent).toContain("need the model in a notebook's kernel");
    expect([find("onset-start"), find("lane-seeds")]).toEqual([null, null]);
  });

  it("computes the curve of a silent record, and offers no seeds", async () => {
    const { find, open } = page({}, silence(4));
    await open();
    expect(find("seeds-start")).toBeNull();
    find("onset-start")?.click();
    await drawn();
    expect(find("lane-onset")).not.toBeNull();
  });
});

describe("the picture", () => {
  beforeEach(() => {
    stubDrawing();
  });
  const record = emptyRecord();
  for (const event of silence(5)) applyEvent(record, event);
  const scene = (canvas: FakeCanvas, hidden = NOTHING_HIDDEN): Scene =>
    ({ ...frameOf(record, 0, 2, canvas), hidden }) as unknown as Scene;

  it("has a bar per chunk whose height is its share of the largest", () => {
    const canvas = new FakeCanvas();
    const onset = onsetOf([0, 1, 2], [0.5, 0.5, 0], {});
    paintOnset(canvas.context, scene(canvas), onset);
    const tall = canvas.named("fillRect").map(({ args }) => Math.round(args[3] as number));
    expect(tall).toEqual([18, 18, 36, 18, 1, 1]);
    expect(ONSET_HEIGHT).toBe(80);
  });

  it("has a row per seed, and hides what step mode hides", () => {
    const raster = { settings: {}, seeds: [0, 1], begun: [[0, 3], [3]] };
    const marks = (hidden = NOTHING_HIDDEN) => {
      const canvas = new FakeCanvas();
      paintSeeds(canvas.context, scene(canvas, hidden), raster);
      const marks = canvas
        .named("fillRect")
        .filter(({ fill }) => fill === frameOf(record, 0, 2, canvas).palette.accent);
      return marks.map(({ args }) => Math.floor((args[1] as number) / 9));
    };
    expect(rasterHeight(raster)).toBe(18);
    expect(marks()).toEqual([0, 0, 1]);
    expect(marks({ decision: 2, reply: 2 })).toEqual([0]);
  });
});
