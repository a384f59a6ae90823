// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { captureProblem, countedProblem } from "../src/capture/problems";
import { busyText, modelText, progressOf } from "../src/panels/banners";
import { trackText } from "../src/panels/settings";
import { numberOf } from "../src/panels/settings-fields";
import { clockTime } from "../src/panels/status";
import { kernelProblem } from "../src/problem";
import { DEFAULT_LIVE } from "../src/settings";
import { createStore } from "../src/store";
import { applyEvent } from "../src/talk";
import createWidget from "../src/widget";
import { chunk, decision, FakeModel, FakeTrack } from "./fakes";

const SETTINGS = {
  ...{ greedy: false, temperature: null, top_k: null, top_p: null, seed: 0, bias: 0, mask: true },
  ...{
    system_prompt: null,
    context: "slide",
    context_limit: null,
    max_new_tokens: null,
    max_reply_tokens: 256,
  },
};

const drawn = () => new Promise((resolve) => setTimeout(resolve, 40));
let track: FakeTrack;

beforeEach(() => {
  vi.stubGlobal("isSecureContext", true);
  vi.stubGlobal(
    "AudioContext",
    class {
      state = "running";
      sampleRate = 48_000;
      onstatechange = null;
      destination = {};
      processor = { connect: () => {}, disconnect: () => {}, onaudioprocess: null };
      createMediaStreamSource = () => ({ connect: () => {} });
      createScriptProcessor = () => {
        processors.push(this.processor);
        return this.processor;
      };
      async suspend() {
        this.state = "suspended";
      }
      async resume() {
        this.state = "running";
      }
      async close() {}
    },
  );
  track = new FakeTrack();
  Object.defineProperty(navigator, "mediaDevices", {
    configurable: true,
    value: {
      getUserMedia: async () => ({ getTracks: () => [track], getAudioTracks: () => [track] }),
      enumerateDevices: async () => [{ kind: "audioinput", deviceId: "desk", label: "Desk microphone" }],
      addEventListener: () => {},
      removeEventListener: () => {},
    },
  });
});

type Processor = { onaudioprocess: ((event: unknown) => void) | null };
const processors: Processor[] = [];

/** A block from the ScriptProcessor, which is what there is without an audio thread. */
function hear() {
  const samples = new Float32Array(4096).fill(0.3);
  processors.at(-1)?.onaudioprocess?.({ inputBuffer: { getChannelData: () => samples }, playbackTime: 0 });
}

afterEach(() => {
  vi.unstubAllGlobals();
  document.body.replaceChildren();
});

function show(traits: Record<string, unknown> = {}) {
  const model = new FakeModel();
  model.traits = { settings: SETTINGS, live: DEFAULT_LIVE, ...traits };
  const widget = createWidget();
  widget.initialize({ model });
  const el = document.createElement("div");
  document.body.append(el);
  widget.render({ model, el });
  const find = <T extends HTMLElement = HTMLElement>(name: string) =>
    el.querySelector<HTMLElement>(`[data-testid="${name}"]`) as T;
  const button = (name: string) => find<HTMLButtonElement>(name);
  const field = (name: string) =>
    find(`field-${name}`)?.querySelector("input, select, textarea") as HTMLInputElement;
  const type = (input: HTMLElement, text: string, key = "Enter") => {
    (input as HTMLInputElement).value = text;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  };
  return { model, el, find, button, field, type };
}

async function openSettings(traits: Record<string, unknown> = {}) {
  const shown = show(traits);
  shown.model.welcome();
  await drawn();
  shown.button("settings-toggle").click();
  await drawn();
  return shown;
}

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

  it("show what the kernel's traits say, also when they change from Python", async () => {
    const { model, field, find } = await openSettings();
    expect(field("temperature").value).toBe("");
    expect(field("max_reply_tokens").value).toBe("256");
    expect(field("mask").checked).toBe(true);
    expect(find("held-bias").textContent).toBe("0");
    model.sync("settings", { ...SETTINGS, temperature: 0.7, mask: false, bias: -1.5 });
    model.sync("live", { ...DEFAULT_LIVE, arrival: "interrupt" });
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
    model.say({ type: "problem", code: "setting", message, detail: "", page: "" });
    await drawn();
    expect(find("field-temperature").querySelector("[role=alert]")?.textContent).toBe(message);
    expect(field("temperature").value).toBe("-1");
    expect(field("temperature").getAttribute("aria-invalid")).toBe("true");
    const described = field("temperature").getAttribute("aria-describedby") ?? "";
    expect(document.getElementById(described)?.textContent).toBe(message);
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
    expect(field("temperature").placeholder).toBe("checkpoint’s (0.3)");
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
    model.sync("live", { ...DEFAULT_LIVE, device: "desk" });
    await drawn();
    expect(device.value).toBe("desk");
    model.sync("live", { ...DEFAULT_LIVE, device: "gone" });
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

describe("what is said of the kernel and the model", () => {
  it("busy: how much waits, and why", () => {
    const store = createStore();
    store.line.value = "ready";
    store.model.value = { status: "ready", name: "tiny", detail: "" };
    store.waiting.value = 4;
    expect(busyText(store)).toBe("");
    store.waiting.value = 12;
    expect(busyText(store)).toMatch(/kernel is busy: 12 chunks \(4\.8 s of audio\) are waiting/);
    applyEvent(store.talk, decision(0, { choice: "TEXT_BEGIN" }));
    store.version.value += 1;
    expect(store.speaking.value).toBe(true);
    expect(busyText(store)).toBe("12 chunks (4.8 s of audio) are waiting while the model speaks.");
    store.loop.value = { ...store.loop.value, mode: "pause" };
    expect(busyText(store)).toMatch(/because the loop is held/);
    store.model.value = { status: "loading", name: "big", detail: "" };
    expect(busyText(store)).toMatch(/until the model is loaded; none is lost/);
  });

  it("loading: how far it is", () => {
    const detail = { stage: "weights", done: 4.1e9, total: 13.6e9 };
    expect(progressOf({ status: "loading", name: "big", detail })).toBeCloseTo(0.301, 3);
    expect(modelText({ status: "loading", name: "big", detail })).toBe(
      "Loading the model big… weights · 4.1 GB of 13.6 GB",
    );
    expect(progressOf({ status: "loading", name: "big", detail: "" })).toBeNull();
    expect(progressOf({ status: "ready", name: "big", detail })).toBeNull();
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
    ...(["interrupted", "no_audio", "capture_failed", "file_unreadable", "file_empty"] as const),
  ];

  it("has a sentence and a way out of its own", () => {
    const problems = [
      ...codes.map((code) => captureProblem(code)),
      countedProblem("gap", "0.8"),
      countedProblem("hidden", "7 s", 17),
      kernelProblem("model", "It failed.", ""),
      kernelProblem("busy_elsewhere", "Another page records.", ""),
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
