// @vitest-environment happy-dom
/** The front-end module of `engine="page"`, as a host calls it. */
import { afterEach, expect, it } from "vitest";
import createWidget from "../src/page-widget";
import { FakeModel } from "./fakes";

afterEach(() => document.body.replaceChildren());

/** Waits for the views to have been drawn. */
const drawn = () => new Promise((resolve) => setTimeout(resolve, 40));

it("shows two views of one engine, which say what is loaded and where it runs", async () => {
  const model = new FakeModel();
  const widget = createWidget();
  const end = widget.initialize({ model });
  const views = [0, 1].map(() => {
    const el = document.createElement("div");
    document.body.append(el);
    return { el, remove: widget.render({ model: new Proxy(model, {}), el }) };
  });
  await drawn();
  expect(model.of("hello").length).toBe(1);
  const text = (view: number, name: string) =>
    views[view]?.el.querySelector(`[data-testid="${name}"]`)?.textContent ?? null;
  for (const view of [0, 1]) {
    expect(text(view, "engine")).toBe("The engine is being loaded. The kernel records what is heard here.");
    expect(text(view, "state")).toBe("loading");
    expect(views[view]?.el.textContent).toContain("The model is being loaded into this page.");
    expect(views[view]?.el.querySelector<HTMLButtonElement>("[data-testid=record]")?.disabled).toBe(true);
    expect(views[view]?.el.querySelector<HTMLElement>("[data-testid=aiw]")?.dataset.view).toBe("explore");
  }
  views[0]?.remove();
  expect(text(0, "engine")).toBeNull();
  expect(text(1, "engine")).not.toBeNull();
  views[1]?.remove();
  end();
  expect(model.listeners()).toBe(0);
});
