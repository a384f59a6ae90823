// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import type { KernelModel } from "../src/channel/link";
import { hideTranscript } from "../src/host/transcript-output";

const NAME = "aiw-transcript-1f";

const saved = (transcript: unknown) => ({ get: () => transcript }) as unknown as KernelModel;

function outputs() {
  const view = document.createElement("div");
  const transcript = document.createElement("div");
  transcript.className = NAME;
  document.body.append(view, transcript);
  return { view, display: () => getComputedStyle(transcript).display };
}

afterEach(() => document.body.replaceChildren());

describe("the saved transcript", () => {
  it("is hidden while the view is in the page", () => {
    const { view, display } = outputs();
    expect(display()).toBe("block");
    const show = hideTranscript(saved(NAME), view);
    expect(display()).toBe("none");
    show();
    expect(display()).toBe("block");
  });

  it("is seen again where the host takes the view away without a word", () => {
    const { view, display } = outputs();
    hideTranscript(saved(NAME), view);
    view.remove();
    expect(display()).toBe("block");
  });

  it.each([undefined, "", 5, "a,*"])("of another kernel's version (%s) hides nothing", (transcript) => {
    const { view, display } = outputs();
    hideTranscript(saved(transcript), view)();
    expect(view.children).toHaveLength(0);
    expect(display()).toBe("block");
  });
});
