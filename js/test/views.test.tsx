// @vitest-environment happy-dom
/** The three views: what each shows, which one a page begins with, and that a choice is kept. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { applyEvent, emptyRecord } from "../src/record/record";
import { pictureOf } from "../src/show/picture";
import { firstView } from "../src/store/view-name";
import { chunk, decision, token, turn } from "./fakes";
import { clearPage, drawn, LIVE, show } from "./shown-widget";

const speaks = (k: number) => decision(k, { token: 1, choice: "TEXT_BEGIN", p_text: 0.75, p_keep: 0.2 });

beforeEach(() => localStorage.clear());
afterEach(clearPage);

const READY = { status: "ready", kind: "model", name: "tiny", detail: "" };

async function opened(traits: Record<string, unknown> = {}) {
  const shown = show(traits);
  shown.model.welcome({ model: READY });
  await drawn();
  const press = async (name: string) => {
    shown.button(name).click();
    await drawn();
  };
  return { ...shown, press };
}

const heard = [chunk(0), decision(0), chunk(1), speaks(1), token(0, 0, "Seven.", { chunk: 1 })];

describe("the view that a page begins with", () => {
  it("is explore where nothing was chosen", async () => {
    const { find } = await opened();
    expect(find("aiw").dataset.view).toBe("explore");
    expect(find("view-explore").getAttribute("aria-pressed")).toBe("true");
  });

  it("is the one chosen last", async () => {
    const { press } = await opened();
    await press("view-show");
    expect((await opened()).find("aiw").dataset.view).toBe("show");
  });

  it("is the one that Python names, whatever was chosen", async () => {
    localStorage.setItem("ai_widgets.view", "show");
    const { find } = await opened({ live: { ...LIVE, view: "teach" } });
    expect(find("aiw").dataset.view).toBe("teach");
  });

  it.each([null, "", "other", 7])("passes over %s", (given) => {
    localStorage.setItem("ai_widgets.view", "elsewhere");
    expect(firstView(given)).toBe("explore");
  });

  it("is the one of a first visit only where nothing was chosen or named", () => {
    expect(firstView(null, "show")).toBe("show");
    localStorage.setItem("ai_widgets.view", "teach");
    expect(firstView(null, "show")).toBe("teach");
    expect(firstView("explore", "show")).toBe("explore");
  });

  it("holds until the page is closed where storage is refused", async () => {
    const refuse = () => {
      throw new DOMException("denied", "SecurityError");
    };
    vi.stubGlobal("localStorage", { getItem: refuse, setItem: refuse });
    const { find, press } = await opened();
    await press("view-teach");
    expect(find("aiw").dataset.view).toBe("teach");
  });

  it("changes when Python names another one later", async () => {
    const { model, find } = await opened();
    model.sync("live", { ...LIVE, view: "show" });
    await drawn();
    expect(find("aiw").dataset.view).toBe("show");
    expect(localStorage.getItem("ai_widgets.view")).toBeNull();
  });
});

describe("show", () => {
  it("has the state, the decisions and the replies, and no panel of numbers", async () => {
    const { model, find, press } = await opened();
    model.events(0, heard);
    await press("view-show");
    expect(find("show-state").textContent).toContain("Speaking");
    expect(find("show-decisions").querySelector("svg")?.getAttribute("aria-label")).toBe(
      "The newest 2 decisions, of which 1 speak; p(TEXT) is 0.75",
    );
    expect(find("show-reply").textContent).toBe("Seven.");
    for (const name of ["timeline", "inspector", "transcript", "what-if", "settings-toggle", "step-mode"]) {
      expect(find(name), name).toBeNull();
    }
    expect(find("record")).not.toBeNull();
    expect(find("light")).not.toBeNull();
  });

  it("says what to do before anything was heard, and has no empty box", async () => {
    const { find, press } = await opened();
    await press("view-show");
    expect(find("stage").textContent).toContain("Press Record and say something");
    expect(find("show-decisions")).toBeNull();
    expect(find("show-reply")).toBeNull();
  });

  it("announces a reply to screen readers", async () => {
    const { model, find, press } = await opened();
    await press("view-show");
    model.events(0, [...heard, turn(0, "Seven.", { chunk: 1 })]);
    await drawn();
    expect(find("announcement").textContent).toBe("Seven.");
  });

  it("closes step mode, so that the loop runs", async () => {
    const { model, press } = await opened();
    await press("step-mode");
    await press("view-show");
    expect(model.of("loop").map(({ mode }) => mode)).toEqual(["step", "run"]);
  });

  it("draws a timeline again in the other views", async () => {
    const { find, press } = await opened();
    await press("view-show");
    await press("view-explore");
    expect(find("timeline")).not.toBeNull();
  });

  it("keeps the focus on the choice of the view", async () => {
    const { button, press } = await opened();
    button("view-show").focus();
    await press("view-show");
    expect(document.activeElement).toBe(button("view-show"));
  });

  it("has no button for the whole screen where the frame forbids it", async () => {
    const { find, press } = await opened();
    await press("view-show");
    expect(find("fullscreen")).toBeNull();
  });

  it("says why the browser refused the whole screen", async () => {
    vi.stubGlobal("document", document);
    Object.defineProperty(document, "fullscreenEnabled", { configurable: true, value: true });
    try {
      const { find, press } = await opened();
      await press("view-show");
      find("aiw").requestFullscreen = () => Promise.reject(new TypeError("no gesture"));
      await press("fullscreen");
      expect(find("problem").textContent).toContain("no gesture");
    } finally {
      Reflect.deleteProperty(document, "fullscreenEnabled");
    }
  });
});

describe("teach", () => {
  it("has step mode in the middle, and pauses the loop only on request", async () => {
    const { model, find, press } = await opened();
    await press("view-teach");
    expect(find("step-start")).not.toBeNull();
    expect(model.of("loop")).toEqual([]);
    await press("step-begin");
    expect(model.of("loop").map(({ mode }) => mode)).toEqual(["step"]);
    expect(find("predictor")).not.toBeNull();
    expect(find("step-start")).toBeNull();
  });
});

it("steps through what was heard where no more audio arrives", async () => {
  const { model, find, press } = await opened();
  model.events(0, [...heard, turn(0, "Seven.", { chunk: 1 })]);
  await press("view-teach");
  await press("step-begin");
  expect(find("step-replay").getAttribute("aria-pressed")).toBe("true");
  expect(find("step-next").textContent).toContain("perceive chunk 0");
});

it("shows inspector and transcript from the first chunk on", async () => {
  const { model, find } = await opened();
  expect([find("inspector"), find("transcript")]).toEqual([null, null]);
  model.events(0, [chunk(0)]);
  await drawn();
  expect(find("inspector")).not.toBeNull();
  expect(find("transcript")).not.toBeNull();
});

describe("the picture of the newest decisions", () => {
  const record = emptyRecord();
  for (let k = 0; k < 50; k++) {
    applyEvent(record, chunk(k));
    if (k !== 45) applyEvent(record, k === 47 ? speaks(k) : decision(k));
  }

  it("has as many cells as fit, the newest last", () => {
    const { cells } = pictureOf({ record, width: 300 });
    expect(cells.map((cell) => cell.chunk)).toEqual([40, 41, 42, 43, 44, 45, 46, 47, 48, 49]);
    expect(cells.map((cell) => cell.kind)).toEqual([
      ...["silent", "silent", "silent", "silent", "silent"],
      ...["undecided", "silent", "speak", "silent", "silent"],
    ]);
    expect(cells[0]?.x).toBe(0);
    expect((cells[9]?.x ?? 0) + (cells[9]?.width ?? 0)).toBeCloseTo(300);
  });

  it("interrupts the curve at a chunk without a decision", () => {
    const { runs } = pictureOf({ record, width: 300 });
    expect(runs.map((run) => run.length)).toEqual([5, 4]);
    expect(runs[1]?.[1]?.[1]).toBeCloseTo(0.75);
  });

  it("is empty for an empty record", () => {
    const empty = pictureOf({ record: emptyRecord(), width: 300 });
    expect(empty).toEqual({ cells: [], runs: [], threshold: null, newest: null });
  });
});
