// @vitest-environment happy-dom
/** What the widget counts on from the library that draws it, and from the boundaries around its panels. */
import { signal } from "@preact/signals";
import { render } from "preact";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Panel } from "../src/panels/panel";
import createWidget from "../src/widget";
import { chunk, decision, FakeModel, token } from "./fakes";
import { drawn } from "./view";

let el: HTMLElement;

beforeEach(() => {
  el = document.createElement("div");
  document.body.replaceChildren(el);
});

afterEach(() => document.body.replaceChildren());

describe("a panel that cannot be drawn", () => {
  const value = signal(0);
  const Fragile = () => {
    if (value.value === 1) throw new Error("one is not drawn");
    return <b>{value.value}</b>;
  };
  const Sound = () => <i>{value.value}</i>;
  const page = (
    <>
      <Panel name="first panel">
        <Fragile />
      </Panel>
      <Panel name="second panel">
        <Sound />
      </Panel>
    </>
  );

  beforeEach(() => {
    value.value = 0;
    vi.spyOn(console, "error").mockImplementation(() => {});
  });

  it("says so with its cause, while the others are drawn", async () => {
    render(page, el);
    value.value = 1;
    await drawn();
    expect(el.querySelector('[role="alert"]')?.textContent).toContain("The first panel could not be drawn.");
    expect(el.querySelector('[role="alert"]')?.textContent).toContain("one is not drawn");
    expect(console.error).toHaveBeenCalledOnce();
    expect(el.querySelector("i")?.textContent).toBe("1");
    value.value = 2;
    await drawn();
    expect(el.querySelector("i")?.textContent).toBe("2");
  });

  it("is drawn again on request, and fails again where the cause is still there", async () => {
    value.value = 1;
    render(page, el);
    await drawn();
    el.querySelector("button")?.click();
    await drawn();
    expect(el.querySelector("b")).toBeNull();
    value.value = 2;
    el.querySelector("button")?.click();
    await drawn();
    expect(el.querySelector("b")?.textContent).toBe("2");
    expect(el.querySelector('[role="alert"]')).toBeNull();
  });
});

describe("a view of the widget", () => {
  const show = () => {
    const model = new FakeModel();
    const widget = createWidget();
    widget.initialize({ model });
    return { model, remove: widget.render({ model, el }) };
  };

  it("ends at once what it began: listeners on the window, watching the host's theme, the page's content", () => {
    const added = vi.spyOn(window, "addEventListener");
    const removed = vi.spyOn(window, "removeEventListener");
    const ended = vi.spyOn(MutationObserver.prototype, "disconnect");
    const { remove } = show();
    const begun = added.mock.calls.filter(([type]) => type === "keydown");
    expect(begun).toHaveLength(1);
    remove();
    const over = removed.mock.calls.filter(([type]) => type === "keydown");
    expect(over.map(([, listener]) => listener)).toEqual(begun.map(([, listener]) => listener));
    expect(ended).toHaveBeenCalled();
    expect(el.childElementCount).toBe(0);
  });

  it("keeps the elements of tokens that were drawn while a reply grows", async () => {
    const { model } = show();
    model.welcome();
    model.events(0, [chunk(0), decision(0, { choice: "TEXT_BEGIN" }), token(0, 0, "One")]);
    await drawn();
    const first = el.querySelector(".aiw-turn-text .aiw-token");
    model.events(3, [token(0, 1, " two")]);
    await drawn();
    const tokens = el.querySelectorAll(".aiw-turn-text .aiw-token");
    expect(tokens).toHaveLength(2);
    expect(tokens[0]).toBe(first);
  });

  it("draws in step with the messages: a batch of events is drawn once, when all of them were applied", async () => {
    const { model } = show();
    model.welcome();
    await drawn();
    const seen: (string | null)[] = [];
    const observer = new MutationObserver(() => seen.push(root.getAttribute("data-chunks")));
    const root = el.querySelector('[data-testid="aiw"]') as HTMLElement;
    observer.observe(root, { attributes: true, attributeFilter: ["data-chunks"] });
    model.events(0, [chunk(0), decision(0), chunk(1), decision(1)]);
    await drawn();
    observer.disconnect();
    expect(seen).toEqual(["2"]);
  });

  it("writes class names as the style sheet has them, pictures included", async () => {
    const { model } = show();
    model.welcome();
    await drawn();
    const classes = [...el.querySelectorAll("[class]")].flatMap((one) => [...one.classList]);
    expect(classes.filter((name) => name !== "aiw" && !name.startsWith("aiw-"))).toEqual([]);
    const chevron = el.querySelector("svg.aiw-chevron path");
    expect(chevron?.namespaceURI).toBe("http://www.w3.org/2000/svg");
  });
});
