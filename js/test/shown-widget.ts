/** A widget over a microphone and a kernel that are played by the test, for tests of its panels. */
import { vi } from "vitest";
import { type Setting, UNTOLD_LIVE } from "../src/store/settings";
import createWidget from "../src/widget";
import { FakeModel, FakeTrack } from "./fakes";
import schema from "./settings-schema.json";

/** The kernel's own schema; a Python test keeps the file true. */
export const SCHEMA = schema as unknown as readonly Setting[];
const DEFAULTS = Object.fromEntries(SCHEMA.map((setting) => [setting.name, setting.default]));
const isLive = (name: string) => SCHEMA.some((setting) => setting.name === name && setting.group === "Audio");
export const SETTINGS = {
  ...Object.fromEntries(Object.entries(DEFAULTS).filter(([name]) => !isLive(name))),
  max_reply_tokens: 256,
};
export const LIVE = {
  ...UNTOLD_LIVE,
  ...Object.fromEntries(Object.entries(DEFAULTS).filter(([name]) => isLive(name))),
};

/** Waits for the view to have been drawn. */
export const drawn = () => new Promise((resolve) => setTimeout(resolve, 40));
export let track: FakeTrack;

/** A page with one microphone, and without an audio thread. */
export function stubMicrophone(): void {
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
}

type Processor = { onaudioprocess: ((event: unknown) => void) | null };
const processors: Processor[] = [];

/** A block from the ScriptProcessor, which is what there is without an audio thread. */
export function hear() {
  const samples = new Float32Array(4096).fill(0.3);
  processors.at(-1)?.onaudioprocess?.({ inputBuffer: { getChannelData: () => samples }, playbackTime: 0 });
}

export function clearPage(): void {
  vi.unstubAllGlobals();
  document.body.replaceChildren();
}

export function show(traits: Record<string, unknown> = {}) {
  const model = new FakeModel();
  model.traits = { settings: SETTINGS, live: LIVE, settings_schema: SCHEMA, ...traits };
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

export async function openSettings(traits: Record<string, unknown> = {}) {
  const shown = show(traits);
  shown.model.welcome();
  await drawn();
  shown.button("settings-toggle").click();
  await drawn();
  return shown;
}
