// @vitest-environment happy-dom
/** What a branch may change beside one decision: other audio of a chunk or of the selected span, and another prompt. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { Inspector } from "../src/panels/inspector";
import { ReplayBar } from "../src/panels/replay-bar";
import type { SessionEvent } from "../src/record/events";
import { createView } from "../src/view";
import { chunk, decision } from "./fakes";
import { recording } from "./recording";
import { drawn, showPanel } from "./view";

const EVENTS: SessionEvent[] = Array.from({ length: 8 }, (_, k) => [chunk(k), decision(k)]).flat();

/** An inspector of chunk 2, or the bar of the span of chunks 2 and 3, with the further fields opened. */
async function opened(place: "inspector" | "span") {
  const { model, conversation } = await recording();
  model.events(0, EVENTS);
  const view = createView(conversation);
  await conversation.stop();
  if (place === "inspector") view.selected.value = 2;
  else conversation.replay.select({ from_s: 0.8, to_s: 1.6 });
  const panel = place === "inspector" ? <Inspector view={view} /> : <ReplayBar view={view} />;
  const shown = await showPanel(() => panel);
  const id = place === "inspector" ? "run-on" : "span";
  const part = (name: string) => shown.find(`${id}-${name}`) as HTMLInputElement;
  part("more").click();
  await drawn();
  const type = async (name: string, text: string) => {
    part(name).value = text;
    part(name).dispatchEvent(new Event("input", { bubbles: true }));
    await drawn();
  };
  const asked = () => model.of("fork").at(-1);
  return { ...shown, model, view, part, type, asked };
}

afterEach(() => {
  vi.unstubAllGlobals();
  document.body.replaceChildren();
});

describe("one chunk", () => {
  it("is exchanged with another, or hears that", async () => {
    const { part, type, asked } = await opened("inspector");
    expect(part("other").value).toBe("3");
    await type("other", "5");
    part("swap").click();
    expect(asked()).toMatchObject({ chunk: 2, span: 1, audio: "swap", other: 5 });
    part("copy").click();
    expect(asked()).toMatchObject({ chunk: 2, span: 1, audio: "copy", other: 5 });
  });

  it("is not exchanged with itself, nor with one that was not heard", async () => {
    const { part, type } = await opened("inspector");
    await type("other", "2");
    expect([part("swap").disabled, part("copy").disabled]).toEqual([true, true]);
    await type("other", "99");
    expect(part("other").value).toBe("7");
  });

  it("hears a file in its place, as long as the session has chunks for it", async () => {
    const { part, asked, model } = await opened("inspector");
    const channels = [new Float32Array(60_000).fill(0.5), new Float32Array(60_000).fill(-0.25)];
    vi.stubGlobal(
      "OfflineAudioContext",
      class {
        decodeAudioData = async () => ({
          sampleRate: 16_000,
          numberOfChannels: 2,
          getChannelData: (at: number) => channels[at],
        });
      },
    );
    Object.defineProperty(part("file"), "files", { value: [new File(["x"], "talk.wav")] });
    part("file").dispatchEvent(new Event("change", { bubbles: true }));
    await drawn();
    expect(asked()).toMatchObject({ chunk: 2, audio: "samples" });
    const sent = model.sent.filter(({ content }) => content.type === "fork").at(-1);
    const samples = new Float32Array(sent?.buffers?.[0] as ArrayBuffer);
    expect([samples.length, samples[0]]).toEqual([6 * 6400, 0.125]);
    expect(part("said").textContent).toBe("talk.wav: the first 2.4 of 3.8 s, from chunk 2 on.");
  });

  it("says that a file is no audio", async () => {
    const { part, asked } = await opened("inspector");
    vi.stubGlobal(
      "OfflineAudioContext",
      class {
        decodeAudioData = () => Promise.reject(new Error("EncodingError"));
      },
    );
    Object.defineProperty(part("file"), "files", { value: [new File(["x"], "notes.txt")] });
    part("file").dispatchEvent(new Event("change", { bubbles: true }));
    await drawn();
    expect(part("said").textContent).toContain("notes.txt has no audio that this browser can read.");
    expect(asked()).toBeUndefined();
  });
});

describe("a selected span", () => {
  it("is muted or forced as a whole", async () => {
    const { part, asked } = await opened("span");
    part("mute").click();
    expect(asked()).toMatchObject({ chunk: 2, span: 2, audio: "mute", until: null });
    part("silent").click();
    expect(asked()).toMatchObject({ chunk: 2, span: 2, force: "KEEP_SILENCE" });
  });

  it("is exchanged with as many chunks from the clicked one on", async () => {
    const { part, asked, view } = await opened("span");
    view.selected.value = 5;
    await drawn();
    part("swap").click();
    expect(asked()).toMatchObject({ chunk: 2, span: 2, audio: "swap", other: 5 });
    view.selected.value = 3;
    await drawn();
    expect(part("other").value).toBe("4");
    view.selected.value = 1;
    await drawn();
    expect(part("swap").disabled).toBe(true);
    expect(part("copy").disabled).toBe(false);
  });
});

it("another prompt replays from the start", async () => {
  const { part, type, asked } = await opened("inspector");
  expect(part("prompt-run").disabled).toBe(true);
  await type("prompt", "Be brief.");
  part("prompt-run").click();
  expect(asked()).toMatchObject({ chunk: 0, span: 1, settings: { system_prompt: "Be brief." }, audio: "" });
});
