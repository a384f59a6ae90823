// @vitest-environment happy-dom
import { afterEach, expect, it, vi } from "vitest";
import { fallenTo, LevelMeter, levelPart } from "../src/panels/level-meter";
import { moveMic } from "../src/store/store";
import { showPanel } from "./view";

afterEach(() => {
  document.body.replaceChildren();
});

it("goes from −60 dB to 0, rises at once and falls slowly", () => {
  expect([0, 1e-3, 1, 2].map(levelPart)).toEqual([0, 0, 1, 1]);
  expect(levelPart(10 ** -1.5)).toBeCloseTo(0.5);
  expect(fallenTo(0.2, 1, 0.1)).toBe(1);
  expect(fallenTo(1, 0, 0.1)).toBeCloseTo(0.84);
  expect(fallenTo(0.1, 0, 1)).toBe(0);
});

it("draws when a block has come, and only then", async () => {
  const frames = vi.spyOn(globalThis, "requestAnimationFrame");
  const { view, find } = await showPanel((shown) => <LevelMeter store={shown.store} />);
  const bar = find("level").firstElementChild as HTMLElement;
  moveMic(view.store, { type: "ask" });
  view.store.level.value = { peak: 1, rms: 1 };
  expect(bar.style.transform).toBe("scaleX(0.000)");
  const { request } = view.store.mic.value;
  moveMic(view.store, { type: "heard", request, name: "Desk", degraded: false });
  expect(view.store.mic.value.phase).toBe("listening");
  view.store.level.value = { peak: 1, rms: 1 };
  expect(bar.style.transform).toBe("scaleX(1.000)");
  expect(bar.dataset.hot).toBe("true");
  view.store.level.value = { peak: 0, rms: 0 };
  expect(bar.dataset.hot).toBe("false");
  expect(frames).not.toHaveBeenCalled();
});
