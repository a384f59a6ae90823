// @vitest-environment happy-dom
/** The page around the widget: what it says of the engine, and the link with the settings. */
import { signal } from "@preact/signals";
import { render } from "preact";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { EngineChannel } from "../src/page/engine-channel";
import type { Offline } from "../src/page/offline";
import { PageApp } from "../src/page/page-app";
import { createView } from "../src/view";
import { FakeMicrophone, settle } from "./fakes";
import { ScriptedEngine } from "./scripted-engine";

let root: HTMLElement;

beforeEach(() => {
  localStorage.clear();
  root = document.createElement("main");
  document.body.append(root);
});
afterEach(() => {
  render(null, root);
  root.remove();
});

function shown(load: () => Promise<ScriptedEngine>) {
  const channel = new EngineChannel(load, {
    captureHost: new FakeMicrophone().host,
    clip: async () => new File([], "x.flac"),
  });
  const offline = signal<Offline>("storing");
  render(<PageApp view={createView(channel)} offline={offline} />, root);
  return { channel, offline };
}

const text = (name: string) => root.querySelector(`[data-testid="${name}"]`)?.textContent ?? "";
const button = (name: string) => root.querySelector<HTMLButtonElement>(`button[data-testid="${name}"]`);

it("says which engine runs, once it does, and takes no commands before", async () => {
  const { channel, offline } = shown(async () => new ScriptedEngine());
  expect(text("engine")).toBe("The engine is being loaded.");
  expect(button("record")?.disabled).toBe(true);
  await channel.start();
  await settle();
  expect(text("engine")).toBe(
    "Engine: onnxruntime-web 1.30.0, WebAssembly, one thread, in a worker; loaded in 0.0 s.",
  );
  expect(button("record")?.disabled).toBe(false);
  expect(root.textContent).toContain("your sound stays here and is sent nowhere");
  offline.value = "ready";
  await settle();
  expect(text("offline")).toBe("It also opens without a network.");
  await channel.end();
});

it("shows one state at a first visit, and what to do as soon as the model is loaded", async () => {
  const channel = new EngineChannel(async () => new ScriptedEngine(), {
    captureHost: new FakeMicrophone().host,
    clip: async () => new File([], "x.flac"),
  });
  const view = createView(channel, "show");
  render(<PageApp view={view} offline={signal<Offline>("storing")} />, root);
  expect(text("show-state")).toBe("Loading the model");
  expect(text("stage")).toContain("When the model is loaded into this page, press Record");
  expect(button("record")?.disabled).toBe(true);
  await channel.start();
  await settle();
  expect(text("stage")).toContain("Press Record and say something");
  expect(root.querySelector("[data-testid=timeline]")).toBeNull();
  await channel.end();
});

it("says that no engine runs where it cannot be loaded", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const { channel } = shown(() => Promise.reject(new Error("This browser has no WebAssembly.")));
  await channel.start();
  await settle();
  expect(text("engine")).toBe("No engine runs.");
  expect(text("problem")).toContain("This browser has no WebAssembly.");
  expect(button("record")?.disabled).toBe(true);
});

it("copies its address with the settings, and says so", async () => {
  const written: string[] = [];
  vi.stubGlobal("navigator", {
    ...navigator,
    clipboard: { writeText: async (copied: string) => written.push(copied) },
  });
  const { channel } = shown(async () => new ScriptedEngine());
  await channel.start();
  button("share")?.click();
  await settle();
  expect(written).toEqual([location.href]);
  expect(text("share-said")).toBe("Copied.");
  vi.unstubAllGlobals();
  await channel.end();
});
