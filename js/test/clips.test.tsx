// @vitest-environment happy-dom
/** The package's clips: a menu of them, and the offer of the first one to a session that has heard nothing. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLIPS } from "../src/channel/messages";
import { chunk } from "./fakes";
import { clearPage, drawn, show, stubMicrophone } from "./shown-widget";

beforeEach(stubMicrophone);
afterEach(clearPage);

async function welcomed() {
  const shown = show();
  shown.model.welcome();
  await drawn();
  const page = String(shown.model.of("hello")[0]?.page);
  return { ...shown, page };
}

describe("the menu of clips", () => {
  it("names all of them, plays the chosen one, and can choose the same again", async () => {
    const { model, find, page } = await welcomed();
    const menu = find<HTMLSelectElement>("clip");
    expect([...menu.options].map(({ text }) => text)).toEqual(["Clips…", ...CLIPS.map(([, title]) => title)]);
    menu.value = "rain";
    menu.dispatchEvent(new Event("change", { bubbles: true }));
    await drawn();
    expect(model.of("play_clip")).toEqual([
      { type: "play_clip", clip: "rain", pace: "realtime", tail_s: 1, page },
    ]);
    expect(menu.value).toBe("");
  });

  it("stops a recording first", async () => {
    const { model, find, button } = await welcomed();
    button("record").click();
    await drawn();
    const menu = find<HTMLSelectElement>("clip");
    menu.value = "digit";
    menu.dispatchEvent(new Event("change", { bubbles: true }));
    await drawn();
    expect(find("aiw").dataset.mic).toBe("closed");
    expect(model.of("play_clip")).toHaveLength(1);
  });
});

describe("the offer of the first clip", () => {
  it("plays it with one press, and goes once something was heard", async () => {
    const { model, find, el } = await welcomed();
    find("play-first-clip").click();
    await drawn();
    expect(model.of("play_clip")[0]?.clip).toBe(CLIPS[0][0]);
    expect(el.querySelector('[data-testid="first-clip"]')).toBeNull();
    model.events(0, [chunk(0)]);
    await drawn();
    expect(el.querySelector('[data-testid="first-clip"]')).toBeNull();
  });
});
