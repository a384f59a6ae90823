// @vitest-environment happy-dom

import { render } from "preact";
import { afterEach, describe, expect, it } from "vitest";
import type { LoopMode } from "../src/channel/messages";
import { StepMode } from "../src/panels/step-mode";
import { canReplay, hiddenAfter, nextOf } from "../src/panels/step-walk";
import type { SessionEvent } from "../src/record/events";
import { applyEvent, emptyRecord } from "../src/record/record";
import { NOTHING_HIDDEN } from "../src/store/hidden";
import { chunk, decision, token, turn } from "./fakes";
import { drawn, showPanel } from "./view";

const speaks = (k: number) => decision(k, { token: 1, choice: "TEXT_BEGIN", p_text: 0.75, p_keep: 0.2 });
/** Silent at 0, speaks at 1, silent at 2 and 3. */
const EVENTS: SessionEvent[] = [
  chunk(0),
  decision(0),
  chunk(1),
  speaks(1),
  token(0, 0, "Fire", { chunk: 1 }),
  turn(0, "Fire", { chunk: 1 }),
  chunk(2),
  decision(2),
  chunk(3),
  decision(3),
];

afterEach(() => document.body.replaceChildren());

async function open(how: { connected: boolean; events?: readonly SessionEvent[] }) {
  const shown = await showPanel((view) => <StepMode view={view} />, how.events ?? EVENTS);
  const { view, find, el } = shown;
  const asked: string[] = [];
  view.channel.loop = (mode: LoopMode) => void asked.push(mode);
  view.channel.step = () => void asked.push("step phase");
  view.store.line.value = how.connected ? "ready" : "lost";
  view.stepping.value = true;
  await drawn();
  const now = () => find("step-now").textContent;
  const press = async (key: string, target: Element = find("step-next")) => {
    target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    await drawn();
  };
  const predict = async () => {
    find("predict").click();
    await drawn();
  };
  /** The kernel did a phase. */
  const loop = async (phase: string, at: number, waiting = 1) => {
    view.store.loop.value = { mode: "step", phase, chunk: at, waiting };
    await drawn();
  };
  return { ...shown, asked, now, press, predict, loop, root: el };
}

describe("the walk through the loop", () => {
  const record = emptyRecord();
  for (const event of EVENTS) applyEvent(record, event);

  it("perceives, decides, and responds only where the model speaks", () => {
    const seen: string[] = [];
    let cursor = nextOf({ chunk: 0, phase: "" }, record);
    while (canReplay(cursor, record)) {
      seen.push(`${cursor.phase} ${cursor.chunk}`);
      cursor = nextOf(cursor, record);
    }
    expect(seen).toEqual([
      "perceive 0",
      "decide 0",
      "perceive 1",
      "decide 1",
      "respond 1",
      "perceive 2",
      "decide 2",
      "perceive 3",
      "decide 3",
    ]);
  });

  it("passes over a chunk that was dropped before its decision", () => {
    const gap = emptyRecord();
    for (const event of [chunk(0), decision(0), chunk(1, { flags: ["dropped"] }), chunk(2), decision(2)]) {
      applyEvent(gap, event);
    }
    expect(nextOf({ chunk: 1, phase: "perceive" }, gap)).toEqual({ chunk: 2, phase: "perceive" });
  });

  it("hides what was not done yet", () => {
    expect(hiddenAfter({ chunk: 4, phase: "perceive" })).toEqual({ decision: 4, reply: 4 });
    expect(hiddenAfter({ chunk: 4, phase: "decide" })).toEqual({ decision: 5, reply: 4 });
    expect(hiddenAfter({ chunk: 4, phase: "respond" })).toEqual({ decision: 5, reply: 5 });
  });
});

describe("step mode, of the kernel", () => {
  it("holds the loop when it opens and lets it run when it closes", async () => {
    const { asked, view, find } = await open({ connected: true });
    expect(asked).toEqual(["step"]);
    expect(document.activeElement).toBe(find("step-next"));
    view.stepping.value = false;
    await drawn();
    expect(asked).toEqual(["step", "run"]);
    expect(find("step")).toBeNull();
  });

  it("gives the focus back when it closes", async () => {
    const button = document.createElement("button");
    document.body.append(button);
    button.focus();
    const { button: named } = await open({ connected: false });
    expect(document.activeElement).not.toBe(button);
    named("Leave step mode").click();
    await drawn();
    expect(document.activeElement).toBe(button);
  });

  it("does not touch a loop that it never held, and lets go of one when its view goes", async () => {
    const { model, view, el } = await showPanel((view) => <StepMode view={view} />);
    model.welcome();
    expect(model.of("loop")).toEqual([]);
    view.store.line.value = "ready";
    const asked: string[] = [];
    view.channel.loop = (mode: LoopMode) => void asked.push(mode);
    view.stepping.value = true;
    await drawn();
    render(null, el);
    expect(asked).toEqual(["step", "run"]);
    expect(view.hiddenFrom.value).toEqual(NOTHING_HIDDEN);
  });

  it("asks the kernel for one phase a press, by button and by N", async () => {
    const { asked, find, press, loop } = await open({ connected: true });
    await loop("", -1);
    expect(find("step-next").textContent).toContain("perceive chunk 4");
    find("step-next").click();
    await loop("perceive", 4);
    await press("n");
    expect(asked.slice(1)).toEqual(["step phase", "step phase"]);
    expect(find("step-next").textContent).toContain("decide");
  });

  it("lights the state the loop is in, and says it in words", async () => {
    const { find, loop, now, add } = await open({ connected: true });
    await add(chunk(4), speaks(4));
    await loop("decide", 4);
    expect(find("diagram").dataset).toMatchObject({ phase: "decide", passage: "TEXT_BEGIN" });
    expect(find("diagram").querySelector('.aiw-state[data-lit="true"]')?.textContent).toContain("decide");
    expect(find("diagram").getAttribute("aria-label")).toContain("KEEP_SILENCE leads back to perceive");
    expect(find("diagram").getAttribute("aria-label")).toContain("Chunk 4, decided: TEXT_BEGIN");
    expect(now()).toBe("Chunk 4, decided: TEXT_BEGIN; p(TEXT_BEGIN) was 0.7500.");
    await loop("respond", 4);
    expect(find("diagram").dataset.passage).toBe("TEXT_END");
  });

  it("says what to do where no chunk waits, and then asks for nothing", async () => {
    const { asked, find, loop, press } = await open({ connected: true });
    await loop("", -1, 0);
    expect(find("step-hint").textContent).toContain("No chunk is waiting: record, or choose a file");
    expect(find("step-next").getAttribute("aria-disabled")).toBe("true");
    await press("n");
    expect(asked).toEqual(["step"]);
  });

  it("asks for the guess before the decision, and counts it when the decision comes", async () => {
    const { asked, find, loop, press, predict, view, add } = await open({ connected: true });
    await predict();
    await loop("perceive", 4);
    expect(find("step-hint").textContent).toContain("First guess");
    await press("n");
    expect(asked).toEqual(["step"]);
    await press("2");
    await press("n");
    expect(asked).toEqual(["step", "step phase"]);
    expect(view.hiddenFrom.value).toEqual({ decision: 4, reply: 4 });
    await add(chunk(4), speaks(4));
    await loop("decide", 4);
    expect(view.hiddenFrom.value).toEqual({ decision: 5, reply: 5 });
    expect(find("reveal").textContent).toContain("Hit");
    expect(find("score").textContent).toContain("hits 1");
  });

  it("keeps a decision hidden that came before the guess", async () => {
    const { find, loop, predict, now, add, button } = await open({ connected: true });
    await predict();
    await add(chunk(4), speaks(4));
    await loop("decide", 4);
    expect(now()).toBe("Chunk 4: deciding.");
    expect(find("diagram").dataset.passage).toBe("");
    button("keep silent 1").click();
    await drawn();
    expect(find("reveal").textContent).toContain("Missed");
    expect(now()).toContain("TEXT_BEGIN");
  });
});

describe("step mode, replay", () => {
  it("goes once more through what was heard, from the picked chunk, where there is no kernel", async () => {
    const { find, view, asked, press, now } = await open({ connected: false });
    expect(asked).toEqual([]);
    expect((find("step-kernel") as HTMLButtonElement).disabled).toBe(true);
    expect(view.hiddenFrom.value).toEqual({ decision: 0, reply: 0 });
    view.selected.value = 1;
    find("step-replay").click();
    await drawn();
    expect(now()).toContain("begins at chunk 1");
    await press("n");
    expect(view.selected.value).toBe(1);
    await press("n");
    expect(view.hiddenFrom.value).toEqual({ decision: 2, reply: 1 });
    await press("n");
    expect(now()).toBe("Chunk 1, responding: “Fire”");
    expect(view.hiddenFrom.value).toEqual({ decision: 2, reply: 2 });
    // A chunk that step mode itself selected is not one that a person picked.
    find("step-replay").click();
    await drawn();
    expect(now()).toContain("begins at chunk 0");
  });

  it("ends where the decisions end", async () => {
    const { find, press } = await open({ connected: false });
    for (let i = 0; i < 12; i++) await press("n");
    expect(find("step-hint").textContent).toContain("last decided chunk");
    expect(find("step").dataset.phase).toBe("decide");
  });

  it("says what to do where nothing was heard", async () => {
    const { find } = await open({ connected: false, events: [] });
    expect(find("step-hint").textContent).toContain("Nothing has been heard yet");
  });

  it("keeps score, with how far a guess was off", async () => {
    const { find, press, predict } = await open({ connected: false });
    await predict();
    // Silent at 0: a false alarm. Speaks at 1: missed, one chunk after the false alarm.
    for (const key of ["n", "2", "n", "n", "1", "n"]) await press(key);
    expect(find("reveal").textContent).toBe(
      "Chunk 1. ✗ Missed: it spoke; your guess was 1 chunk (0.4 s) too early.",
    );
    expect(find("score").textContent).toContain(
      "hits 0misses 1false alarms 1right silences 0mean off 1.0 chunks",
    );
    for (const key of ["n", "n", "1", "n"]) await press(key);
    expect(find("score").textContent).toContain("right silences 1");
  });

  it("takes a guess for later, and holds it until then", async () => {
    const { find, press, predict, root } = await open({ connected: false });
    await predict();
    const select = root.querySelector("select") as HTMLSelectElement;
    select.value = "1";
    select.dispatchEvent(new Event("change", { bubbles: true }));
    for (const key of ["n", "n", "n", "n"]) await press(key);
    expect(find("reveal").textContent).toContain("Hit");
    expect(find("score").textContent).toContain("hits 1misses 0false alarms 0right silences 1");
  });

  it("shows everything again when it closes", async () => {
    const { view, press } = await open({ connected: false });
    await press("n");
    view.stepping.value = false;
    await drawn();
    expect(view.hiddenFrom.value).toEqual(NOTHING_HIDDEN);
  });

  it("leaves keys in fields, and with ctrl, to others", async () => {
    const { find, press, now, predict, root } = await open({ connected: false });
    await predict();
    await press("n", root.querySelector("select") as Element);
    expect(now()).toContain("begins at chunk 0");
    find("step-next").dispatchEvent(new KeyboardEvent("keydown", { key: "n", ctrlKey: true, bubbles: true }));
    await drawn();
    expect(now()).toContain("begins at chunk 0");
  });
});
