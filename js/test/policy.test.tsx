// @vitest-environment happy-dom
import { afterEach, describe, expect, it, vi } from "vitest";
import { readModelInfo } from "../src/channel/reading";
import { Inspector } from "../src/panels/inspector";
import { Settings } from "../src/panels/settings";
import type { Decision, SessionEvent } from "../src/record/events";
import { policyOf } from "../src/record/policy";
import { applyEvent, emptyRecord } from "../src/record/record";
import { isPolicy } from "../src/store/policy";
import { readout } from "../src/store/readout";
import { LaneNames } from "../src/timeline/lane-names";
import { probabilityLane, yOf } from "../src/timeline/lane-probability";
import { rowOf } from "../src/timeline/table-rows";
import { FakeCanvas, frameOf, stubDrawing } from "./fake-canvas";
import { chunk, decision } from "./fakes";
import { drawn, showPanel } from "./view";

const NOTHING = { decision: Number.POSITIVE_INFINITY, reply: Number.POSITIVE_INFINITY };
const RULE = { policy: "energy", threshold: 12, release: 4, hangover_s: 0.6, shortest_s: 0.1 };
const SCALE = { score_name: "dB above the background", score_low: 0, score_high: 40 };

/** A decision as ai_widgets/policies/policy.py makes it. */
function ruled(k: number, score: number, more: Partial<Decision> = {}): Decision {
  const rule = { ...RULE, ...SCALE, score, speaking: score >= 12, silent_s: 0 } as Decision["rule"];
  const none = { token: -1, argmax: -1, position: -1, used: 0, limit: 0, draw: null, p_other: 0 };
  return decision(k, { ...none, p_keep: 1, p_text: 0, logit_keep: 0, logit_text: 0, rule, ...more });
}

const EVENTS: SessionEvent[] = [
  chunk(0),
  ruled(0, 3),
  chunk(1),
  ruled(1, 30),
  chunk(2),
  ruled(2, 10, { choice: "TEXT_BEGIN", p_keep: 0, p_text: 1 }),
];

afterEach(() => {
  vi.unstubAllGlobals();
  document.body.replaceChildren();
});

describe("the record of a policy", () => {
  it("is known by its decisions, with score and facts", () => {
    const found = policyOf(ruled(1, 30));
    expect(found?.name).toBe("energy");
    expect(found?.score).toEqual({
      name: "dB above the background",
      value: 30,
      threshold: 12,
      low: 0,
      high: 40,
    });
    expect(found?.facts.map(([name]) => name)).toEqual([
      ...["threshold", "release", "hangover s", "shortest s", "speaking", "silent s"],
    ]);
    expect(policyOf(decision(0))).toBeNull();
    expect(policyOf(decision(0, { rule: { policy: "never" } as Decision["rule"] }))?.score).toBeNull();
  });

  it("comes back from the table as it was", () => {
    const record = emptyRecord();
    for (const event of EVENTS) applyEvent(record, event);
    expect(record.decisions.get(1)).toMatchObject({ token: -1, position: -1, rule: ruled(1, 30).rule });
  });

  it("has the score in words where a model has a probability", () => {
    const record = emptyRecord();
    for (const event of EVENTS) applyEvent(record, event);
    expect(readout(record, 2).decision).toBe("dB above the background 10.00 (threshold 12) → speak");
    expect(rowOf(record, 2, NOTHING).cells[4]).toBe("–");
  });
});

describe("the lane of p(TEXT)", () => {
  it("draws a policy's score and its threshold, each in its place of the scale", () => {
    stubDrawing();
    const record = emptyRecord();
    for (const event of EVENTS) applyEvent(record, event);
    const canvas = new FakeCanvas();
    const frame = frameOf(record, 0, 16, canvas);
    probabilityLane.draw(frame);
    const heights = canvas.named("lineTo").map(({ args }) => args[1] as number);
    expect(heights).toContain(yOf(frame, 30 / 40));
    expect(heights).toContain(yOf(frame, 12 / 40));
    expect(heights).not.toContain(yOf(frame, 0.5));
    probabilityLane.drawFront?.(frame);
    expect(canvas.named("fillText").map(({ args }) => args[0])).toEqual(["12"]);
  });

  it("draws no threshold of a policy that does not listen", () => {
    stubDrawing();
    const record = emptyRecord();
    const rule = { policy: "never" } as Decision["rule"];
    applyEvent(record, chunk(0));
    applyEvent(record, ruled(0, 0, { rule }));
    const canvas = new FakeCanvas();
    const frame = frameOf(record, 0, 16, canvas);
    probabilityLane.drawFront?.(frame);
    expect(canvas.named("fillText")).toEqual([]);
  });

  it("is named after what it shows", async () => {
    const shown = await showPanel((view) => <LaneNames view={view} />, EVENTS);
    const name = (lane: string) => shown.el.querySelector(`[data-lane="${lane}"]`)?.textContent;
    expect(name("probability")).toBe("speechscore");
    // The lane of the log-mel, which a policy does not hear, is folded at first.
    expect(name("heard")).toBe("heard");
    (shown.el.querySelector('[data-lane="heard"]') as HTMLElement).click();
    await drawn();
    expect(name("heard")).toBe("heardno log-mel");
    const model = await showPanel((view) => <LaneNames view={view} />, [chunk(0), decision(0)]);
    expect(model.el.querySelector('[data-lane="probability"]')?.textContent).toBe("p(TEXT)raw");
  });
});

describe("the panels", () => {
  it("the inspector shows the rule, and says that there are no tokens", async () => {
    const shown = await showPanel((view) => <Inspector view={view} />, EVENTS);
    shown.view.selected.value = 1;
    await drawn();
    expect(shown.find("policy-score").textContent).toBe(
      "dB above the background30.00 ≥ 12 (threshold) → silent",
    );
    expect(shown.find("policy-step").textContent).toContain("no tokens, no logits and no context");
    expect(shown.find("strip")).toBeNull();
    expect(shown.find("sampling")).toBeNull();
    expect(shown.find("gauge")).toBeNull();
  });

  it("the settings say why those of sampling are left out", async () => {
    const shown = await showPanel((view) => <Settings view={view} />);
    shown.view.settingsOpen.value = true;
    await drawn();
    expect(shown.find("settings-of-policy")).toBeNull();
    shown.view.store.model.value = { status: "ready", kind: "policy", name: "energy", detail: "" };
    await drawn();
    expect(shown.find("settings-of-policy").textContent).toContain("no sampling, context or prompt");
  });

  it("the kernel's word is enough before the first decision", async () => {
    const told = { status: "ready", kind: "policy", name: "silero", detail: "baseline" };
    expect(readModelInfo(told)).toEqual(told);
    expect(readModelInfo({ ...told, kind: "model" })?.kind).toBe("model");
    const shown = await showPanel((view) => <LaneNames view={view} />);
    expect(isPolicy(shown.view.store)).toBe(false);
    shown.view.store.model.value = readModelInfo(told) as never;
    expect(isPolicy(shown.view.store)).toBe(true);
  });
});
