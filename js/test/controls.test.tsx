// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UNTOLD_LIVE } from "../src/store/settings";
import { clearPage, drawn, hear, openSettings, show, stubMicrophone, track } from "./shown-widget";

beforeEach(stubMicrophone);
afterEach(clearPage);

describe("the controls", () => {
  it("pause, mute and light follow the microphone", async () => {
    const { model, find, button } = show();
    model.welcome();
    await drawn();
    expect([button("pause").disabled, button("mute").disabled]).toEqual([true, true]);
    expect(find("light").dataset.light).toBe("off");
    button("record").click();
    await drawn();
    expect(find("light").dataset.light).toBe("on");
    expect(find("aiw").dataset.mic).toBe("open");
    hear();
    await drawn();
    button("mute").click();
    await drawn();
    expect(find("light").dataset.light).toBe("muted");
    expect(button("mute").getAttribute("aria-pressed")).toBe("true");
    button("mute").click();
    button("pause").click();
    await drawn();
    expect(find("light").dataset.light).toBe("paused");
    expect(find("state").textContent).toBe("paused");
    button("record").click();
    await drawn();
    expect(find("light").dataset.light).toBe("off");
    expect(track.readyState).toBe("ended");
  });

  it("choose a microphone by asking the kernel", async () => {
    const { model, find, button } = show();
    model.welcome();
    button("record").click();
    await drawn();
    const device = find<HTMLSelectElement>("device");
    expect([...device.options].map(({ text }) => text)).toEqual(["Default microphone", "Desk microphone"]);
    device.value = "desk";
    device.dispatchEvent(new Event("change", { bubbles: true }));
    await drawn();
    expect(model.of("set")[0]?.changes).toEqual({ device: "desk" });
    expect(device.value).toBe("");
    model.sync("live", { ...UNTOLD_LIVE, device: "desk" });
    await drawn();
    expect(device.value).toBe("desk");
    model.sync("live", { ...UNTOLD_LIVE, device: "gone" });
    await drawn();
    expect(device.selectedOptions[0]?.text).toBe("(not connected)");
  });

  it("count what lags and what was left out", async () => {
    const { model, find } = show({ counters: { lag_s: 2.44, dropped_chunks: 3, dropped_s: 1.2 } });
    model.welcome();
    await drawn();
    expect(find("lag").textContent).toBe("lag 2.4 s");
    expect(find("dropped").textContent).toBe("dropped 3");
  });

  it("mute and pause by key, but not while one types", async () => {
    const { model, find, field, button } = await openSettings();
    button("record").click();
    await drawn();
    hear();
    await drawn();
    const press = (element: Element, key: string) =>
      element.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    press(field("seed"), "m");
    press(field("system_prompt"), "p");
    await drawn();
    expect(find("light").dataset.light).toBe("on");
    press(find("record"), "m");
    await drawn();
    expect(find("light").dataset.light).toBe("muted");
    press(find("record"), "p");
    await drawn();
    expect(find("state").textContent).toBe("paused");
    expect(model.of("set")).toEqual([]);
  });
});
