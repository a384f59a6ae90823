// @vitest-environment happy-dom
/** The guided tour: its steps are done by what happens, it can be left at any time, and it is offered once. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chunk, decision, token, turn } from "./fakes";
import { clearPage, drawn, SETTINGS, show } from "./shown-widget";

const READY = { status: "ready", kind: "model", name: "tiny", detail: "" };
const speaks = (k: number) => decision(k, { token: 1, choice: "TEXT_BEGIN", p_text: 0.75, p_keep: 0.2 });
const quiet = [0, 1, 2].flatMap((k) => [chunk(k, { rms_db: -70 }), decision(k)]);
const loud = [chunk(3, { rms_db: -20 }), decision(3)];
const reply = [chunk(4, { rms_db: -70 }), speaks(4), token(0, 0, "It is ten.", { chunk: 4 })];

beforeEach(() => localStorage.clear());
afterEach(clearPage);

async function opened() {
  const shown = show();
  shown.model.welcome({ model: READY });
  await drawn();
  const press = async (name: string) => {
    shown.button(name).click();
    await drawn();
  };
  let count = 0;
  const events = async (given: Parameters<typeof shown.model.events>[1]) => {
    shown.model.events(count, given);
    count += given.length;
    await drawn();
  };
  const done = () => shown.find("tour").dataset.done === "true";
  const lit = () => shown.el.querySelector("[data-tour]")?.getAttribute("data-testid");
  return { ...shown, press, events, done, lit };
}

describe("a step", () => {
  it("is done by what happens, one after the other", async () => {
    const { model, find, press, events, done, lit, el } = await opened();
    await press("tour-take");
    expect(find("tour").dataset.step).toBe("1");
    expect(lit()).toBe("record");

    await events(quiet.slice(0, 4));
    expect(done()).toBe(false);
    await events(quiet.slice(4));
    expect(done()).toBe(true);
    expect(find("tour-happened").textContent).toContain("KEEP_SILENCE");
    expect(find("tour-next").textContent).toBe("Next: Speech");

    await press("tour-next");
    expect([find("tour").dataset.step, done()]).toEqual(["2", false]);
    await events(loud);
    expect(find("tour-happened").textContent).toContain("Chunk 3 is loud (-20 dB)");

    await press("tour-next");
    await events(reply);
    expect(done(), "a reply that has not ended").toBe(false);
    await events([turn(0, "It is ten.", { chunk: 4 })]);
    expect(find("tour-happened").textContent).toContain(
      "After chunk 4 it decided TEXT_BEGIN and said “It is ten.”",
    );
    expect(lit()).toBe("transcript");

    await press("tour-next");
    expect(done()).toBe(false);
    el.querySelector<HTMLElement>(".aiw-turn-time")?.click();
    await drawn();
    expect(find("tour-happened").textContent).toContain("In chunk 4, p(TEXT_BEGIN) was 0.750");
    expect(lit()).toBe("inspector");

    await press("tour-next");
    expect(done()).toBe(false);
    model.sync("settings", { ...SETTINGS, bias: 2 });
    await drawn();
    expect(find("tour-happened").textContent).toContain("applies from the next chunk on");
    expect(find("tour-next").textContent).toBe("Finish");
    await press("tour-next");
    expect(find("tour")).toBeNull();
  });

  it("about speech is not done by rain that was heard before", async () => {
    const { press, events, done } = await opened();
    await press("tour-take");
    await events([0, 1, 2].flatMap((k) => [chunk(k, { rms_db: -20 }), decision(k)]));
    await press("tour-next");
    expect(done()).toBe(false);
  });

  it("about speech is not done by rain that still plays", async () => {
    const { model, press, events, done } = await opened();
    await press("tour-take");
    const playing = { name: "rain", page: "", position_s: 1, seconds: 8, speed: 1, left_s: 7 };
    model.say({ type: "playing", state: "playing", ...playing });
    const rain = (k: number) => [chunk(k, { rms_db: -20, clip: 1 }), decision(k)];
    await events([0, 1, 2].flatMap(rain));
    await press("tour-next");
    await events(rain(3));
    expect(done()).toBe(false);
    await events([chunk(4, { rms_db: -20, clip: 2 })]);
    expect(done()).toBe(true);
  });

  it("stays done when its selection is closed", async () => {
    const { model, find, press, events, el } = await opened();
    await events([...quiet, ...loud, ...reply, turn(0, "It is ten.", { chunk: 4 })]);
    await press("tour-button");
    for (const _ of [1, 2, 3]) await press("tour-next");
    el.querySelector<HTMLElement>(".aiw-turn-time")?.click();
    await drawn();
    const said = find("tour-happened").textContent;
    model.say({ type: "reset", session: 2 });
    await drawn();
    expect(find("tour-happened").textContent).toBe(said);
  });

  it("plays its clip without a microphone, and not into another sound", async () => {
    const { model, button, press } = await opened();
    await press("tour-take");
    await press("tour-clip");
    expect(model.of("play_clip").map(({ clip, pace }) => [clip, pace])).toEqual([["rain", "realtime"]]);
    model.say({
      type: "playing",
      name: "rain",
      page: "",
      state: "playing",
      position_s: 1,
      seconds: 8,
      speed: 1,
      left_s: 7,
    });
    await drawn();
    expect(button("tour-clip").disabled).toBe(true);
  });
});

describe("the tour", () => {
  it("reads its heading first, and gives the focus back when it is left with Escape", async () => {
    const { find, button, press } = await opened();
    await press("tour-take");
    expect(document.activeElement?.textContent).toBe("Silencestep 1 of 5");
    await press("tour-next");
    expect(document.activeElement?.textContent).toBe("Speechstep 2 of 5");
    find("tour-next").dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    await drawn();
    expect(find("tour")).toBeNull();
    expect(document.activeElement).toBe(button("tour-button"));
  });

  it("is taken in the view with all controls, and returns to the one before", async () => {
    const { find, press, lit } = await opened();
    await press("view-show");
    await press("tour-button");
    expect(find("aiw").dataset.view).toBe("explore");
    expect(lit()).toBe("record");
    await press("tour-leave");
    expect(find("aiw").dataset.view).toBe("show");
    expect(lit()).toBeUndefined();
  });

  it.each(["tour-take", "tour-decline"])("is offered once: %s", async (answer) => {
    const { find, press } = await opened();
    expect(find("tour-offer")).not.toBeNull();
    await press(answer);
    expect(find("tour-offer")).toBeNull();
    expect((await opened()).find("tour-offer")).toBeNull();
  });

  it("is not offered over a session, nor without a kernel", async () => {
    const { find, events } = await opened();
    await events(quiet);
    expect(find("tour-offer")).toBeNull();
    expect(show().find("tour-offer")).toBeNull();
  });
});
