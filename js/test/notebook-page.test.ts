// @vitest-environment happy-dom
/** A widget whose engine runs in the notebook's page: with its kernel, without it, and when it comes back. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { deliveryText } from "../src/mirror/engine-line";
import { NotebookPage } from "../src/mirror/notebook-page";
import { UNTOLD_LIVE } from "../src/store/settings";
import { until } from "./engine-channel-setup";
import { FakeKernel } from "./fake-kernel";
import { FakeMicrophone, FakeModel, settle } from "./fakes";
import { ScriptedEngine } from "./scripted-engine";

const HISTORY = {
  version: 1,
  chunks: { chunk: [0, 1], start_s: [0, 0.4], env: "", mel: "", mel_from: 2 },
  decisions: { chunk: [0, 1], choice: ["KEEP_SILENCE", "KEEP_SILENCE"], p_text: [0, 0] },
  turns: [],
};

let pages: NotebookPage[] = [];

beforeEach(() => {
  pages = [];
});
afterEach(() => {
  for (const page of pages) page.end();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A page that has just been opened, and the kernel's side of its connection. */
function opened(traits: Record<string, unknown> = {}) {
  const model = new FakeModel();
  model.traits = { settings: { greedy: true }, live: { ...UNTOLD_LIVE, arrival: "drop" }, ...traits };
  const engine = new ScriptedEngine((_, samples) =>
    samples.some((sample) => sample > 0.5) ? ["Hi."] : null,
  );
  const microphone = new FakeMicrophone();
  let offer = () => {};
  const offered = new Promise<void>((done) => {
    offer = done;
  });
  const page = new NotebookPage(model, {
    captureHost: microphone.host,
    load: (files) => async () => {
      await Promise.race([offered, files.names()]);
      return engine;
    },
  });
  pages.push(page);
  page.start();
  const kernel = new FakeKernel((message) => model.say(message));
  const { store } = page.channel;
  const name = () => model.of("hello")[0]?.page as string;
  let given = 0;
  /** The kernel handles what the page sends, until it has everything. */
  const work = async () => {
    await until(() => {
      for (const { content, buffers } of model.sent.slice(given)) {
        const sent = content as { type: string };
        if (!/^engine_(begin|events|chunk)$/.test(sent.type)) continue;
        kernel.receive(sent as never, buffers?.[0] ? new Float32Array(buffers[0]) : undefined);
      }
      given = model.sent.length;
      while (kernel.work());
      const { chunks, taken } = page.channel.delivery.value;
      return chunks === taken;
    });
  };
  const speak = async (value = 0.9) => {
    await page.channel.record();
    for (let i = 0; i < 8; i++) microphone.hear(new Float32Array(4800).fill(value));
    await until(() => store.record.decided >= 2);
  };
  const welcome = (more: object = {}) => model.welcome({ page: name(), ...more });
  const loaded = async () => {
    offer();
    await until(() => page.channel.ready);
  };
  return {
    model,
    engine,
    microphone,
    page,
    channel: page.channel,
    store,
    kernel,
    work,
    speak,
    welcome,
    loaded,
    name,
  };
}

describe("with a kernel", () => {
  it("the page takes the kernel's settings, decides, and the kernel has events and sound", async () => {
    const { store, welcome, loaded, speak, work, kernel, channel } = opened();
    welcome();
    await loaded();
    expect(store.settings.value).toMatchObject({ greedy: true });
    expect(store.live.value).toMatchObject({ arrival: "drop" });
    await speak();
    expect(store.record.turns[0]?.text).toBe("Hi.");
    await work();
    expect(kernel.begun?.settings).toMatchObject({ greedy: true });
    expect(kernel.sounds.length).toBe(2);
    expect(kernel.sounds[0]?.length).toBe(6400);
    expect(channel.delivery.value).toMatchObject({ state: "delivering", chunks: 2, taken: 2 });
    expect(store.mirrored).toBe(true);
  });

  it("says that it waits for a kernel that does not answer, and how far it is with the model", async () => {
    vi.useFakeTimers();
    const { model, store, welcome, channel } = opened();
    vi.advanceTimersByTime(2000);
    expect(store.line.value).toBe("waiting");
    welcome({ model: { status: "loading", kind: "model", name: "tiny", detail: { done: 5, total: 10 } } });
    expect(store.line.value).toBe("connecting");
    model.say({
      type: "model",
      status: "loading",
      kind: "model",
      name: "tiny",
      detail: { done: 6, total: 10 },
    });
    expect(store.model.value).toMatchObject({ status: "loading", detail: { done: 6, total: 10 } });
    // The kernel has it before this page has.
    model.say({ type: "model", status: "ready", kind: "model", name: "tiny", detail: "cpu" });
    expect(store.model.value.status).toBe("loading");
    expect(channel.ready).toBe(false);
  });

  it("shows why the kernel cannot offer the engine, and the way out", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const { model, store, welcome } = opened();
    welcome();
    const detail = "This checkpoint is too large for a page.";
    model.say({ type: "model", status: "failed", kind: "model", name: "big", detail });
    await until(() => store.problems.value.length > 0);
    expect(store.problems.value[0]).toMatchObject({ code: "model", sentence: detail });
    expect(store.problems.value[0]?.wayOut).toContain('AudioInteraction(engine="kernel")');
  });

  it("does what Python asks of the session", async () => {
    const { model, store, welcome, loaded, speak, work, channel, engine } = opened();
    welcome();
    await loaded();
    const control = (action: string) => model.say({ type: "engine_control", page: "", action });
    control("pause");
    expect(store.loop.value.mode).toBe("pause");
    control("step");
    expect(store.loop.value.mode).toBe("step");
    control("run");
    expect(store.loop.value.mode).toBe("run");
    model.say({ type: "engine_set", page: "", changes: { bias: 2, arrival: "keep", view: "show" } });
    expect(store.settings.value).toMatchObject({ bias: 2 });
    expect(store.live.value).toMatchObject({ arrival: "keep", view: "show" });
    model.say({ type: "engine_set", page: "of another", changes: { bias: 5 } });
    expect(store.settings.value).toMatchObject({ bias: 2 });
    await speak();
    await work();
    control("reset");
    await until(() => engine.sessions.length === 2);
    await settle();
    expect(channel.running).toBe(false);
    expect(store.record.count).toBe(0);
  });

  it("does what Python asks of the page that this tab showed before", async () => {
    sessionStorage.clear();
    const before = opened();
    dispatchEvent(new Event("pagehide"));
    const { model, store, welcome, loaded, channel, work, kernel } = opened();
    welcome();
    await loaded();
    const page = before.name();
    model.say({ type: "engine_set", page, changes: { bias: 2 } });
    expect(store.settings.value).toMatchObject({ bias: 2 });
    model.say({ type: "engine_control", page: "of another tab", action: "pause" });
    expect(store.loop.value.mode).toBe("run");
    // The kernel's record is of the page before: it gives way to a session that has not begun yet.
    model.say({ type: "engine_control", page, action: "reset" });
    await until(() => model.of("engine_begin").length === 1);
    await work();
    expect(kernel.begun).toMatchObject({ session: 2, settings: { bias: 2 } });
    expect(channel.running).toBe(false);
  });

  it("tells the kernel the state of the microphone", async () => {
    const { model, welcome, loaded, speak, channel } = opened();
    welcome();
    await loaded();
    await speak();
    await channel.stop();
    expect(model.of("state").map(({ state }) => state)).toEqual(["asking", "listening", "stopped"]);
  });

  it("of which another page has taken the widget, stops and says so; Record begins a new session", async () => {
    const { model, store, welcome, loaded, speak, work, channel, engine, microphone, name, kernel } =
      opened();
    welcome();
    await loaded();
    await speak();
    await work();
    model.say({ type: "engine_elsewhere", page: "another" });
    expect(channel.running).toBe(true);
    model.say({ type: "engine_elsewhere", page: name() });
    expect(channel.running).toBe(false);
    // What its microphone does is no news of the page that is recorded.
    expect(model.of("state").map(({ state }) => state)).not.toContain("stopped");
    expect(microphone.live()).toBe(0);
    expect(store.problems.value.map(({ code }) => code)).toEqual(["busy_elsewhere"]);
    expect(channel.delivery.value.state).toBe("elsewhere");
    await channel.record();
    expect(engine.sessions.length).toBe(2);
    expect(store.problems.value).toEqual([]);
    for (let i = 0; i < 4; i++) microphone.hear();
    await until(() => store.record.decided === 1);
    await work();
    expect(kernel.begun?.session).toBe(2);
  });
});

describe("a page that is opened while the kernel has a record", () => {
  it("asks for it, and shows it as a recording until something is heard", async () => {
    // The history is shown until the record has come.
    const { model, store, welcome, loaded, channel, name } = opened({ history: HISTORY });
    const open = vi.spyOn(channel.recordings, "open").mockImplementation(() => {});
    welcome({ first: 12 });
    const [save] = model.of("save");
    expect(save).toMatchObject({ format: "aiw", page: name() });
    const request = save?.request;
    model.say({ type: "saved", request, page: name(), name: "session.aiw", size: 6, note: "", problem: "" });
    expect(store.opening.value).toMatchObject({ name: "session.aiw", total: 6 });
    const part = { type: "part", request, page: name(), offset: 0, ok: true };
    model.say(part, [new Uint8Array([1, 2, 3, 4, 5, 6])]);
    expect(store.opening.value).toBeNull();
    expect(open).not.toHaveBeenCalled();
    await loaded();
    await until(() => open.mock.calls.length === 1);
    expect(open.mock.calls[0]?.[0]).toMatchObject({ name: "session.aiw", size: 6 });
    welcome({ first: 12 });
    expect(model.of("save").length).toBe(1);
    expect(model.of("engine_begin")).toEqual([]);
  });

  it("says why it cannot be shown, and that it is not lost", async () => {
    const { model, store, welcome, name } = opened();
    welcome({ first: 12 });
    const request = model.of("save")[0]?.request;
    const problem = "The disk is full.";
    model.say({ type: "saved", request, page: name(), name: "", size: 0, note: "", problem });
    expect(store.opening.value).toBeNull();
    expect(store.problems.value[0]).toMatchObject({ code: "recording", wayOut: "It is still in w.record." });
    expect(store.problems.value[0]?.sentence).toContain(problem);
  });
});

describe("without a kernel", () => {
  it("a saved notebook shows its history, and takes no audio", async () => {
    vi.useFakeTimers();
    const { store, channel } = opened({ history: HISTORY });
    vi.advanceTimersByTime(2000);
    expect(store.saved.value).toBe(true);
    expect(store.record.decided).toBe(2);
    expect(store.line.value).toBe("waiting");
    await channel.record();
    expect(channel.running).toBe(false);
  });

  it("the history gives way to the page's own session when the engine is loaded", async () => {
    const { store, welcome, loaded } = opened({ history: HISTORY });
    welcome();
    await loaded();
    expect(store.saved.value).toBe(false);
    expect(store.record.count).toBe(0);
  });

  it("that was restarted, the page goes on deciding and says that nothing is recorded", async () => {
    const { model, store, welcome, loaded, speak, work, channel, microphone } = opened();
    welcome();
    await loaded();
    await speak();
    await work();
    model.emit("comm:close");
    expect(store.line.value).toBe("ready");
    expect(store.problems.value[0]?.sentence).toContain(
      "goes on in this page, but the kernel records nothing",
    );
    for (let i = 0; i < 4; i++) microphone.hear();
    await until(() => store.record.decided === 3);
    expect(channel.running).toBe(true);
    expect(channel.delivery.value).toEqual({ state: "unconnected", chunks: 3, taken: 2 });
  });

  it("the browser asks before a session is left that the kernel lacks", async () => {
    const listeners = new Map<string, (event: Event) => void>();
    vi.stubGlobal("addEventListener", (name: string, listener: () => void) => listeners.set(name, listener));
    const { model, store, welcome, loaded, speak, work, microphone } = opened();
    const leave = () => {
      const event = new Event("beforeunload", { cancelable: true });
      listeners.get("beforeunload")?.(event);
      return event.defaultPrevented;
    };
    welcome();
    await loaded();
    await speak();
    await work();
    expect(leave()).toBe(false);
    model.emit("comm:close");
    for (let i = 0; i < 20; i++) microphone.hear();
    await until(() => store.record.decided === 7);
    expect(leave()).toBe(true);
    vi.unstubAllGlobals();
  });

  it("and back again, it takes what it has missed", async () => {
    const { model, store, welcome, loaded, speak, work, microphone, kernel, channel } = opened();
    welcome();
    await loaded();
    await speak();
    await work();
    model.emit("comm:close");
    for (let i = 0; i < 4; i++) microphone.hear();
    await until(() => store.record.decided === 3);
    channel.pause(true);
    welcome();
    expect(model.of("state").at(-1)).toMatchObject({ state: "paused" });
    await work();
    expect(kernel.sounds.length).toBe(3);
    expect(store.problems.value.map(({ code }) => code)).toEqual(["reconnected"]);
  });

  it("before the engine was loaded, the page says that it is lost", () => {
    const { model, store } = opened();
    model.emit("comm:close");
    expect(store.line.value).toBe("lost");
    expect(store.problems.value.map(({ code }) => code)).toEqual(["kernel_lost"]);
  });
});

describe("views", () => {
  it("share the engine; when the last one is gone the microphone is off", async () => {
    const { page, channel, welcome, loaded, speak, engine, microphone } = opened();
    welcome();
    await loaded();
    page.attachView();
    page.attachView();
    await speak();
    vi.useFakeTimers();
    page.detachView();
    vi.advanceTimersByTime(1000);
    expect(channel.running).toBe(true);
    page.detachView();
    vi.advanceTimersByTime(1000);
    expect(channel.running).toBe(false);
    expect(microphone.live()).toBe(0);
    expect(engine.sessions.length).toBe(1);
  });
});

describe("the line about the engine", () => {
  it.each([
    ["idle", 0, 0, "The kernel records what is heard here."],
    ["delivering", 180, 178, "The kernel’s record is up to date."],
    [
      "delivering",
      180,
      120,
      "The kernel has 120 of 180 chunks of this session; the rest follows when it is free.",
    ],
    ["unconnected", 7, 4, "The kernel has 4 of 7 chunks of this session; no kernel answers."],
    ["elsewhere", 7, 4, "The kernel records another page."],
    ["refused", 7, 4, "The kernel has 4 of 7 chunks of this session, and takes no more."],
  ] as const)("%s, %i chunks of which the kernel has %i", (state, chunks, taken, sentence) => {
    expect(deliveryText({ state, chunks, taken })).toBe(sentence);
  });
});
