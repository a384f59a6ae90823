/** One view over a kernel that is played by the test, for tests of single panels. */
import type { VNode } from "preact";
import { render } from "preact";
import { Conversation } from "../src/conversation";
import type { SessionEvent } from "../src/record/events";
import { addEvents } from "../src/store/store";
import { createView, type SessionView } from "../src/view";
import { FakeModel } from "./fakes";

export interface Shown {
  model: FakeModel;
  view: SessionView;
  el: HTMLElement;
  /** The element with a test id. */
  find(name: string): HTMLElement;
  all(selector: string): HTMLElement[];
  /** A button by its words or its label. */
  button(name: string): HTMLButtonElement;
  add(...events: SessionEvent[]): Promise<void>;
}

/** Waits for the view to have been drawn. */
export const drawn = () => new Promise((resolve) => setTimeout(resolve, 30));

export async function showPanel(
  panel: (view: SessionView) => VNode,
  events: readonly SessionEvent[] = [],
): Promise<Shown> {
  const model = new FakeModel();
  const view = createView(new Conversation(model));
  const el = document.createElement("div");
  document.body.append(el);
  addEvents(view.store, events);
  render(panel(view), el);
  await drawn();
  return {
    model,
    view,
    el,
    find: (name) => el.querySelector(`[data-testid="${name}"]`) as HTMLElement,
    all: (selector) => [...el.querySelectorAll<HTMLElement>(selector)],
    button: (name) =>
      [...el.querySelectorAll("button")].find(
        (button) => button.textContent?.trim() === name || button.getAttribute("aria-label") === name,
      ) as HTMLButtonElement,
    add: async (...more) => {
      addEvents(view.store, more);
      await drawn();
    },
  };
}
