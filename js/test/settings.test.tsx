// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { numberOf } from "../src/panels/settings-fields";
import { chunk, decision } from "./fakes";
import { clearPage, drawn, LIVE, openSettings, SCHEMA, SETTINGS, show, stubMicrophone } from "./shown-widget";

beforeEach(stubMicrophone);
afterEach(clearPage);

describe("the settings", () => {
  it("are folded away until asked for, and closed with Escape", async () => {
    const { find, button } = show();
    await drawn();
    expect(find("settings")).toBeNull();
    expect(button("settings-toggle").getAttribute("aria-expanded")).toBe("false");
    button("settings-toggle").click();
    await drawn();
    expect(button("settings-toggle").getAttribute("aria-controls")).toBe(find("settings").id);
    find("settings").dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    await drawn();
    expect(find("settings")).toBeNull();
  });

  it("are those of the kernel's schema, with its words, in its order and groups", async () => {
    const { find } = await openSettings();
    const shown = [...find("settings").querySelectorAll("fieldset")].map((group) => [
      group.querySelector("legend")?.textContent,
      [...group.querySelectorAll(".aiw-field:not([data-testid=field-voice]) label")].map(
        (label) => label.textContent,
      ),
    ]);
    const groups = [...new Set(SCHEMA.map(({ group }) => group))];
    const declared = groups.map((group) => [
      group,
      SCHEMA.filter((setting) => setting.group === group).map(({ label }) => label),
    ]);
    expect(shown).toEqual([...declared, ["In this browser", []]]);
    for (const { name, help, choices } of SCHEMA) {
      const words = choices.length > 0 ? choices.map(([word, does]) => `${word}: ${does}`) : [help];
      for (const each of words) expect(find(`field-${name}`).textContent).toContain(each);
    }
  });

  it("include one that this page has never heard of", async () => {
    const toy = {
      ...SCHEMA.find(({ name }) => name === "top_p"),
      name: "warmth",
      label: "Warmth",
      group: "Toys",
    };
    const { model, find, field, type } = await openSettings({
      settings_schema: [...SCHEMA, toy],
      settings: { ...SETTINGS, warmth: 0.5 },
    });
    expect(find("settings").querySelectorAll("legend")[3]?.textContent).toBe("Toys");
    expect(field("warmth").value).toBe("0.5");
    type(field("warmth"), "0.7");
    await drawn();
    expect(model.of("set").at(-1)?.changes).toEqual({ warmth: 0.7 });
  });

  it("show what the kernel's traits say, also when they change from Python", async () => {
    const { model, field, find } = await openSettings();
    expect(field("temperature").value).toBe("");
    expect(field("max_reply_tokens").value).toBe("256");
    expect(field("mask").checked).toBe(true);
    expect(find("held-bias").textContent).toBe("0");
    model.sync("settings", { ...SETTINGS, temperature: 0.7, mask: false, bias: -1.5 });
    model.sync("live", { ...LIVE, arrival: "interrupt" });
    await drawn();
    expect(field("temperature").value).toBe("0.7");
    expect(field("mask").checked).toBe(false);
    expect(find("held-bias").textContent).toBe("−1.5");
    expect(field("arrival").value).toBe("interrupt");
  });

  it("change nothing before the kernel says so", async () => {
    const { model, field, find } = await openSettings();
    field("greedy").click();
    field("arrival").value = "drop";
    field("arrival").dispatchEvent(new Event("change", { bubbles: true }));
    await drawn();
    expect(model.of("set").map(({ changes }) => changes)).toEqual([{ greedy: true }, { arrival: "drop" }]);
    expect(field("greedy").checked).toBe(false);
    expect(field("arrival").value).toBe("keep");
    expect(find("field-greedy").textContent).toContain("asking…");
    model.sync("settings", { ...SETTINGS, greedy: true });
    await drawn();
    expect(field("greedy").checked).toBe(true);
    expect(find("field-greedy").textContent).not.toContain("asking…");
  });

  it("keep what was typed beside the kernel's sentence where it is refused", async () => {
    const { model, field, find, type } = await openSettings();
    type(field("temperature"), "-1");
    await drawn();
    expect(model.of("set")[0]?.changes).toEqual({ temperature: -1 });
    const message = "temperature must be a number above 0 and at most 100, not -1.";
    const request = model.of("set")[0]?.request;
    model.say({ type: "problem", code: "setting", message, names: ["temperature"], request });
    await drawn();
    expect(find("field-temperature").querySelector("[role=alert]")?.textContent).toBe(message);
    expect(field("temperature").value).toBe("-1");
    expect(field("temperature").getAttribute("aria-invalid")).toBe("true");
    const described = field("temperature").getAttribute("aria-describedby")?.split(" ") ?? [];
    expect(document.getElementById(described.at(-1) ?? "")?.textContent).toBe(message);
    expect(find("problem")).toBeNull();
    type(field("temperature"), "0.5");
    model.sync("settings", { ...SETTINGS, temperature: 0.5 });
    await drawn();
    expect(find("field-temperature").querySelector("[role=alert]")).toBeNull();
    expect(field("temperature").value).toBe("0.5");
  });

  it("are taken back with Escape, and asked for on leaving the field", async () => {
    const { model, field, find, type } = await openSettings();
    type(field("seed"), "12", "Escape");
    await drawn();
    expect(field("seed").value).toBe("0");
    expect(find("settings")).not.toBeNull();
    const prompt = field("system_prompt");
    prompt.value = "You listen.";
    prompt.dispatchEvent(new Event("input", { bubbles: true }));
    await drawn();
    expect(model.of("set")).toEqual([]);
    prompt.dispatchEvent(new Event("blur"));
    expect(model.of("set")[0]?.changes).toEqual({ system_prompt: "You listen." });
  });

  it("take talkativeness while the knob moves, and show the kernel's figure", async () => {
    const { model, field, find } = await openSettings();
    for (const value of ["0.5", "1.5"]) {
      field("bias").value = value;
      field("bias").dispatchEvent(new Event("input", { bubbles: true }));
    }
    await drawn();
    expect(model.of("set").map(({ changes }) => changes)).toEqual([{ bias: 0.5 }]);
    expect(find("held-bias").textContent).toBe("0");
    model.sync("settings", { ...SETTINGS, bias: 0.5 });
    await drawn();
    expect(find("held-bias").textContent).toBe("+0.5");
    expect(model.of("set").at(-1)?.changes).toEqual({ bias: 1.5 });
  });

  it("name the checkpoint's own numbers once a decision told them", async () => {
    const { model, field } = await openSettings();
    model.events(0, [chunk(0), decision(0, { rule: { temperature: 0.3, top_k: 3, top_p: 1 } })]);
    await drawn();
    expect(field("temperature").placeholder).toBe("0.3 in effect");
  });

  it("name the context's positions that are in effect, which are the checkpoint's own", async () => {
    const { model, field, find } = await openSettings();
    // A text that the field would cut off is part of the hint.
    expect(field("context_limit").placeholder).toBe("");
    expect(find("field-context_limit").textContent).toContain("Empty: what the checkpoint was trained for.");
    model.events(0, [chunk(0), decision(0, { limit: 401 })]);
    await drawn();
    expect(field("context_limit").placeholder).toBe("401 in effect");
  });

  it("of a saved session can be read and not changed", async () => {
    const history = { version: 1, chunks: { chunk: [0], start_s: [0] } };
    const shown = show({ history });
    await drawn();
    shown.button("settings-toggle").click();
    await drawn();
    expect(shown.field("temperature").disabled).toBe(true);
    expect(shown.find("settings").textContent).toContain("saved session");
    expect(shown.button("record").disabled).toBe(true);
  });
});

describe("what is typed", () => {
  it.each([
    ["", null],
    ["  ", null],
    ["0.5", 0.5],
    ["0,5", 0.5],
    ["-3", -3],
    ["1e3", 1000],
    ["abc", "abc"],
    ["Infinity", "Infinity"],
  ])("%j is %j", (typed, value) => {
    expect(numberOf(typed)).toBe(value);
  });
});
