// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { captureProblem, hiddenProblem } from "../src/capture/problems";
import { busyText, modelText, progressOf } from "../src/panels/banners";
import { trackText } from "../src/panels/settings";
import { clockTime } from "../src/panels/status";
import { applyEvent } from "../src/record/record";
import { kernelProblem } from "../src/store/problem";
import { createStore } from "../src/store/store";
import { decision } from "./fakes";
import { clearPage, drawn, show, stubMicrophone } from "./shown-widget";

beforeEach(stubMicrophone);
afterEach(clearPage);

describe("what is said of the kernel and the model", () => {
  it("busy: how much waits, and why", () => {
    const store = createStore();
    store.line.value = "ready";
    store.model.value = { status: "ready", kind: "model", name: "tiny", detail: "" };
    store.kernelWaiting.value = 4;
    expect(busyText(store)).toBe("");
    store.kernelWaiting.value = 12;
    expect(busyText(store)).toMatch(/kernel is busy: 12 chunks \(4\.8 s of audio\) are waiting/);
    applyEvent(store.record, decision(0, { choice: "TEXT_BEGIN" }));
    store.version.value += 1;
    expect(store.speaking.value).toBe(true);
    expect(busyText(store)).toBe("12 chunks (4.8 s of audio) are waiting while the model speaks.");
    store.loop.value = { ...store.loop.value, mode: "pause" };
    expect(busyText(store)).toMatch(/because the loop is paused/);
    store.model.value = { status: "loading", kind: "model", name: "big", detail: "" };
    expect(busyText(store)).toMatch(/until the model is loaded; none is lost/);
  });

  it("loading: how far it is", () => {
    const detail = { stage: "weights", done: 4.1e9, total: 13.6e9 };
    expect(progressOf({ status: "loading", kind: "model", name: "big", detail })).toBeCloseTo(0.301, 3);
    expect(modelText({ status: "loading", kind: "model", name: "big", detail })).toBe(
      "Loading the model big… weights · 4.1 GB of 13.6 GB",
    );
    expect(progressOf({ status: "loading", kind: "model", name: "big", detail: "" })).toBeNull();
    expect(progressOf({ status: "ready", kind: "model", name: "big", detail })).toBeNull();
  });

  it("a model that failed: its traceback one click away", async () => {
    const { model, find } = show();
    model.welcome();
    const said = { code: "model", message: "The model failed with RuntimeError: boom.", page: "" };
    model.say({ type: "problem", ...said, detail: "Traceback (most recent call last)" });
    await drawn();
    expect(find("problem").getAttribute("role")).toBe("alert");
    expect(find("problem").querySelector("details pre")?.textContent).toContain("Traceback");
    expect(find("problem").querySelector("details")?.hasAttribute("open")).toBe(false);
    expect(find("problem").textContent).toContain("Press Reset");
  });

  it("gone and back: what to do, and that nothing was missed", async () => {
    const { model, find } = show();
    model.welcome();
    model.emit("comm_live_update");
    await drawn();
    expect(find("problem").dataset.code).toBe("kernel_lost");
    model.welcome();
    await drawn();
    expect(find("problem").dataset.code).toBe("reconnected");
    expect(find("problem").getAttribute("role")).toBe("status");
    expect(find<HTMLButtonElement>("record").disabled).toBe(false);
  });

  it("a saved session: why nothing can be recorded, once that is sure", async () => {
    vi.useFakeTimers();
    const { find } = show({ history: { version: 1, chunks: { chunk: [0], start_s: [0] } } });
    await vi.advanceTimersByTimeAsync(100);
    expect(find("saved")).toBeNull();
    await vi.advanceTimersByTimeAsync(2000);
    expect(find("saved").textContent).toContain("no kernel answers");
    expect(find("state").textContent).toBe("saved");
    vi.useRealTimers();
  });
});

describe("every problem", () => {
  const codes = [
    ...(["denied", "dismissed", "no_device", "device_busy", "insecure_origin", "host_policy"] as const),
    ...(["unsupported", "track_ended", "revoked", "muted_by_system", "device_absent", "degraded"] as const),
    ...(["interrupted", "no_audio", "capture_failed"] as const),
  ];

  it("has a sentence and a way out of its own", () => {
    const problems = [
      ...codes.map((code) => captureProblem(code)),
      hiddenProblem("7 s", 17),
      kernelProblem("model", "It failed.", ""),
      kernelProblem("gap", "0.8 s of sound may be missing.", ""),
      kernelProblem("busy_elsewhere", "Another page records.", ""),
      kernelProblem("file", "It ended early.", ""),
    ];
    for (const { sentence, wayOut } of problems) {
      expect(sentence).toMatch(/^[A-Z0-9][^{}]*\.$/);
      expect(wayOut).toMatch(/^[A-Z].*\.$/);
    }
    expect(new Set(problems.map(({ sentence }) => sentence)).size).toBe(problems.length);
    expect(new Set(problems.map(({ wayOut }) => wayOut)).size).toBe(problems.length);
  });
});

describe("words", () => {
  it("tell the track as the browser reports it", () => {
    const settings = { rate: 44_100, channelCount: 1, echoCancellation: false, autoGainControl: true };
    expect(trackText(settings)).toBe("44.1 kHz, mono, echo cancellation off, automatic gain on.");
  });

  it("tell the time, with hours where there are any", () => {
    expect([0, 59.9, 61, 3661].map(clockTime)).toEqual(["0:00", "0:59", "1:01", "1:01:01"]);
  });
});
