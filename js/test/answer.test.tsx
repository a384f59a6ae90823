// @vitest-environment happy-dom
/** The widget of single answers: what it sends, and what it shows of the kernel's trait. */
import { afterEach, describe, expect, it, vi } from "vitest";
import answerWidget from "../src/answer";
import { CLIPS, MAX_ANSWER_FILE_BYTES } from "../src/channel/messages";
import { base64 } from "../src/channel/payload";
import { FakeModel, token } from "./fakes";
import { drawn } from "./shown-widget";

const READY = {
  ...{ state: "ready", model: "toy", heard: "", asked: "", tokens: [] },
  ...{ emotion: "", ended: "", notes: [], problem: "" },
};

async function begin(more: object = {}) {
  const model = new FakeModel();
  model.traits = { answer: { ...READY, ...more } };
  const el = document.createElement("div");
  document.body.append(el);
  const remove = answerWidget.render({ model, el });
  await drawn();
  const find = <E extends HTMLElement>(name: string) => el.querySelector(`[data-testid="${name}"]`) as E;
  const type = (words: string) => {
    const field = find<HTMLInputElement>("answer-text");
    field.value = words;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  return { model, el, find, type, remove };
}

afterEach(() => document.body.replaceChildren());

describe("a request", () => {
  it("names a clip and holds the text", async () => {
    const { model, find, type } = await begin();
    const menu = find<HTMLSelectElement>("answer-clip");
    expect([...menu.options].map(({ value }) => value)).toEqual(CLIPS.map(([name]) => name));
    menu.value = "rain";
    menu.dispatchEvent(new Event("change", { bubbles: true }));
    type("What is heard?");
    await drawn();
    find("answer-ask").click();
    await drawn();
    expect(model.of("ask")).toEqual([
      { type: "ask", clip: "rain", name: "", data: "", text: "What is heard?" },
    ]);
  });

  it("holds a file as base64, and refuses one that no message can hold", async () => {
    const { model, find } = await begin();
    const choose = async (file: File) => {
      const input = find<HTMLInputElement>("answer-file");
      Object.defineProperty(input, "files", { configurable: true, value: [file] });
      input.dispatchEvent(new Event("change", { bubbles: true }));
      await drawn();
    };
    const large = new File([new Uint8Array(8)], "long.wav");
    Object.defineProperty(large, "size", { value: MAX_ANSWER_FILE_BYTES + 1 });
    await choose(large);
    expect(find("answer-problem").textContent).toContain("long.wav is larger than 6 MB");
    const bytes = Uint8Array.from([1, 2, 3, 250]);
    await choose(new File([bytes], "talk.wav"));
    expect(find("answer-problem")).toBeNull();
    find("answer-ask").click();
    await vi.waitFor(() => expect(model.of("ask")).toHaveLength(1));
    expect(model.of("ask")[0]).toMatchObject({ clip: "", name: "talk.wav", data: base64(bytes.buffer) });
  });

  it("waits for the model, and can be stopped while tokens are drawn", async () => {
    const { model, find } = await begin({ state: "loading" });
    expect(find<HTMLButtonElement>("answer-ask").disabled).toBe(true);
    model.sync("answer", { ...READY, state: "running", heard: "clip:rain" });
    await drawn();
    expect(find("answer-ask")).toBeNull();
    find("answer-stop").click();
    expect(model.of("cancel")).toEqual([{ type: "cancel" }]);
  });
});

describe("an answer", () => {
  const tokens = [token(0, 0, "It", { p: 0.95 }), token(0, 1, " rains", { p: 0.2 })];

  it("is drawn token by token, shaded by probability", async () => {
    const { model, el, find } = await begin();
    expect(find("answer-said")).toBeNull();
    for (const count of [1, 2]) {
      model.sync("answer", {
        ...READY,
        ...{ state: "running", heard: "clip:rain", asked: "What is heard?", tokens: tokens.slice(0, count) },
      });
      await drawn();
      expect(el.querySelectorAll(".aiw-token")).toHaveLength(count);
    }
    expect(find("answer-said").textContent).toBe("It rains");
    expect([...el.querySelectorAll<HTMLElement>(".aiw-token")].map(({ dataset }) => dataset.shade)).toEqual([
      "0",
      "4",
    ]);
    expect(find("answer-heard").textContent).toBe("clip:rain · What is heard?");
  });

  it("shows notes, an early end and a problem as text", async () => {
    const { find, el } = await begin({
      ...{ state: "done", heard: "<b>a</b>", tokens, ended: "limit", notes: ["toy was not trained."] },
      problem: "The clip is <i>too long</i>.",
    });
    expect(find("answer-note").textContent).toBe("toy was not trained.");
    expect(find("answer-problem").textContent).toBe("The clip is <i>too long</i>.");
    expect(find("answer-heard").textContent).toBe("<b>a</b>");
    expect(el.textContent).toContain("limit");
    expect(el.querySelector("b, i")).toBeNull();
  });

  it("is gone with its view", async () => {
    const { model, el, remove } = await begin();
    remove();
    model.sync("answer", { ...READY, state: "done", heard: "x" });
    expect(el.textContent).toBe("");
  });
});
