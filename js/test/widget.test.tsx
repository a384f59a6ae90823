// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { hostTheme } from "../src/host/theme";
import createWidget from "../src/widget";
import { chunk, decision, FakeModel, FakeTrack, token, turn } from "./fakes";

/** Waits for the views to have been drawn. */
const drawn = () => new Promise((resolve) => setTimeout(resolve, 40));

let tracks: FakeTrack[] = [];

class SilentContext {
  state = "running";
  sampleRate = 48_000;
  onstatechange = null;
  destination = {};
  createMediaStreamSource = () => ({ connect: () => {} });
  createScriptProcessor = () => ({ connect: () => {}, disconnect: () => {}, onaudioprocess: null });
  async close() {}
}

beforeEach(() => {
  tracks = [];
  vi.stubGlobal("isSecureContext", true);
  vi.stubGlobal("AudioContext", SilentContext);
  Object.defineProperty(navigator, "mediaDevices", {
    configurable: true,
    value: {
      getUserMedia: async () => {
        const track = new FakeTrack();
        tracks.push(track);
        return { getTracks: () => [track], getAudioTracks: () => [track] };
      },
    },
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
  document.body.replaceChildren();
});

function show(views = 1) {
  const model = new FakeModel();
  const widget = createWidget();
  const gone = new AbortController();
  widget.initialize({ model, signal: gone.signal });
  const shown = Array.from({ length: views }, () => {
    const el = document.createElement("div");
    document.body.append(el);
    // Hosts hand every view a proxy of its own.
    const proxy = new Proxy(model, {});
    const signal = new AbortController();
    return { el, remove: widget.render({ model: proxy, el, signal: signal.signal }), signal };
  });
  const find = (name: string, view = 0) =>
    shown[view]?.el.querySelector<HTMLElement>(`[data-testid="${name}"]`) as HTMLElement;
  return { model, shown, find, gone };
}

const press = (element: Element, key: string, more: KeyboardEventInit = {}) =>
  element.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));

describe("the widget", () => {
  it("says hello at once and waits for nothing", () => {
    const model = new FakeModel();
    expect(createWidget().initialize({ model })).toBeTypeOf("function");
    expect(model.types()).toEqual(["hello"]);
  });

  it("shows what to do while there is nothing to see", async () => {
    const { shown } = show();
    await drawn();
    expect(shown[0]?.el.textContent).toContain("Press Record and say something");
  });

  it("shows one record in two views, with one line and one microphone", async () => {
    const { model, find } = show(2);
    model.welcome();
    find("record", 0).click();
    await drawn();
    find("record", 1).click(); // Stops: it is the same recording.
    await drawn();
    expect(tracks).toHaveLength(1);
    expect(tracks[0]?.readyState).toBe("ended");
    expect(model.of("hello")).toHaveLength(1);
    expect(find("aiw", 0).dataset.state).toBe("stopped");
    expect(find("aiw", 1).dataset.state).toBe("stopped");
  });

  it("releases the microphone when both views are gone, by signal or by call", async () => {
    const { model, find, shown } = show(2);
    model.welcome();
    find("record").click();
    await drawn();
    expect(tracks[0]?.readyState).toBe("live");
    shown[0]?.remove();
    shown[0]?.signal.abort();
    await new Promise((resolve) => setTimeout(resolve, 350));
    expect(tracks[0]?.readyState).toBe("live");
    shown[1]?.signal.abort();
    await new Promise((resolve) => setTimeout(resolve, 350));
    expect(tracks[0]?.readyState).toBe("ended");
    expect(shown.map(({ el }) => el.childElementCount)).toEqual([0, 0]);
  });

  it("releases the microphone at once when the model is gone", async () => {
    const { model, find, gone } = show();
    model.welcome();
    find("record").click();
    await drawn();
    gone.abort();
    expect(tracks[0]?.readyState).toBe("ended");
  });

  it("keeps its counts where tests and people find them", async () => {
    const { model, find } = show();
    model.welcome();
    model.events(
      0,
      [chunk(0), decision(0), chunk(1), decision(1, { choice: "TEXT_BEGIN" }), token(0, 0, "Hi")],
      {
        waiting: 2,
      },
    );
    await drawn();
    expect(find("aiw").dataset).toMatchObject({ chunks: "2", decisions: "2", turns: "1", state: "speaking" });
    expect(find("waiting").textContent).toBe("2 chunks waiting");
    expect((find("interrupt") as HTMLButtonElement).disabled).toBe(false);
    find("interrupt").click();
    expect(model.types().at(-1)).toBe("interrupt");
    model.events(5, [turn(0, "Hi", { ended: "interrupted" })]);
    await drawn();
    expect((find("interrupt") as HTMLButtonElement).disabled).toBe(true);
    expect(find("turn").textContent).toContain("interrupted");
  });

  it("streams a reply token by token, as text and never as HTML", async () => {
    const { model, find } = show();
    model.welcome({ tokens: { HAPPY: 100 } });
    model.events(0, [chunk(0), token(0, 0, ""), token(0, 1, "<b>bold</b>")]);
    await drawn();
    expect(find("turn-text").textContent).toBe("<b>bold</b>");
    expect(find("turn").querySelector("b")).toBeNull();
    expect(find("turn").textContent).toContain("happy");
    model.events(3, [token(0, 2, " words")]);
    await drawn();
    expect(find("turn-text").textContent).toBe("<b>bold</b> words");
    expect(find("announcement").textContent).toBe("");
    model.events(4, [turn(0, "bold words")]);
    await drawn();
    expect(find("announcement").textContent).toBe("bold words");
  });

  it("shows a token's alternatives on focus, and walks tokens with the arrow keys", async () => {
    const { model, shown } = show();
    model.welcome();
    const alternatives = [{ token: 7, text: "siren", p: 0.31, scaled: 0.3, kept: 0 }];
    model.events(0, [chunk(0), token(0, 0, "alarm", { alternatives }), token(0, 1, "!")]);
    await drawn();
    const tokens = shown[0]?.el.querySelectorAll<HTMLElement>(".aiw-turn-text .aiw-token");
    const [first, second] = [...(tokens ?? [])];
    first?.focus();
    await drawn();
    expect(shown[0]?.el.querySelector("[role=tooltip]")?.textContent).toContain("siren");
    if (first) press(first, "ArrowRight");
    expect(document.activeElement).toBe(second);
    expect([first?.tabIndex, second?.tabIndex]).toEqual([0, -1]);
  });

  it("records with R, but leaves ctrl+R to the browser", async () => {
    const { model, find } = show();
    model.welcome();
    press(find("record"), "r", { ctrlKey: true });
    await drawn();
    expect(tracks).toHaveLength(0);
    press(find("record"), "r");
    await drawn();
    expect(tracks).toHaveLength(1);
  });

  it("keeps single keys from the notebook, and only those", async () => {
    const { find } = show();
    await drawn();
    press(find("record"), "f");
    expect(find("aiw").hasAttribute("data-lm-suppress-shortcuts")).toBe(true);
    press(find("record"), "s", { ctrlKey: true });
    expect(find("aiw").hasAttribute("data-lm-suppress-shortcuts")).toBe(false);
  });

  it("picks a chunk by keyboard and shows its numbers", async () => {
    const { model, shown, find } = show();
    model.welcome();
    model.events(0, [chunk(0), decision(0, { p_text: 0.1234, position: 77 }), chunk(1)]);
    await drawn();
    const timeline = shown[0]?.el.querySelector("[role=slider]") as HTMLElement;
    press(timeline, "Home");
    await drawn();
    expect(timeline.getAttribute("aria-valuetext")).toContain("p(TEXT) 0.123 → silent");
    press(timeline, "Enter");
    await drawn();
    expect(find("inspector").dataset.chunk).toBe("0");
    expect(find("inspector").textContent).toContain("0.1234");
    expect(find("inspector").textContent).toContain("position 77");
    expect(find("inspector").querySelector('[aria-label="Deselect this chunk"]')).not.toBeNull();
    press(timeline, "Escape");
    await drawn();
    expect(find("inspector").querySelector('[aria-label="Deselect this chunk"]')).toBeNull();
  });

  it("says when the kernel is gone, and offers nothing that cannot work", async () => {
    const { model, find } = show();
    model.welcome();
    model.emit("comm_live_update");
    await drawn();
    expect(find("problem").getAttribute("role")).toBe("alert");
    expect(find("problem").textContent).toContain("Run the cell again");
    expect((find("record") as HTMLButtonElement).disabled).toBe(true);
  });

  it("tells how the model is", async () => {
    const { model, find } = show();
    model.welcome({ model: { status: "ready", name: "tiny", detail: { device: "cpu", dtype: "float32" } } });
    await drawn();
    expect(find("model").textContent).toBe("tiny · cpu · float32");
  });
});

describe("the host's theme", () => {
  afterEach(() => {
    document.body.removeAttribute("data-jp-theme-light");
    document.documentElement.removeAttribute("theme");
    document.body.className = "";
  });

  it("is read from JupyterLab, Colab and VS Code", () => {
    document.documentElement.setAttribute("theme", "dark");
    expect(hostTheme()).toBe("dark");
    document.body.dataset.jpThemeLight = "true";
    expect(hostTheme()).toBe("light");
    document.body.dataset.jpThemeLight = "false";
    expect(hostTheme()).toBe("dark");
    document.body.removeAttribute("data-jp-theme-light");
    document.documentElement.removeAttribute("theme");
    document.body.className = "vscode-dark";
    expect(hostTheme()).toBe("dark");
    document.body.className = "vscode-high-contrast-light";
    expect(hostTheme()).toBe("light");
  });
});
