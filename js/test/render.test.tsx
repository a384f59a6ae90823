// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from "vitest";
import { useEffect, useMemo, useRef, useSignal } from "../src/dom/hooks";
import { render } from "../src/dom/render";
import { type Signal, signal } from "../src/dom/signals";

let el: HTMLElement;
/** Waits for what became outdated to be drawn. */
const drawn = () => Promise.resolve();
const texts = () => [...el.querySelectorAll("li")].map((item) => item.textContent);

beforeEach(() => {
  el = document.createElement("div");
  document.body.replaceChildren(el);
});

describe("render", () => {
  it("makes elements, texts and attributes, and changes only what differs", () => {
    const page = (on: boolean) => (
      <p
        class={on ? "on" : undefined}
        hidden={on}
        data-on={on}
        aria-hidden={on}
        title="t"
        style={{ "--part": on ? "1" : "2", maxWidth: "3px" }}
      >
        {on && <b>on</b>} {1} {"<i>"}
      </p>
    );
    render(page(true), el);
    const p = el.firstElementChild as HTMLElement;
    expect(p.textContent).toBe("on 1 <i>");
    expect([p.className, p.hidden, p.dataset.on, p.getAttribute("aria-hidden")]).toEqual([
      "aiw-on",
      true,
      "true",
      "true",
    ]);
    expect(p.style.getPropertyValue("--part")).toBe("1");
    expect(p.style.maxWidth).toBe("3px");
    render(page(false), el);
    expect(el.firstElementChild).toBe(p);
    expect(p.textContent).toBe(" 1 <i>");
    expect([p.hasAttribute("class"), p.hidden, p.dataset.on, p.getAttribute("aria-hidden")]).toEqual([
      false,
      false,
      "false",
      "false",
    ]);
    render(page(true), el);
    expect([p.className, p.hidden, p.dataset.on, p.textContent]).toEqual([
      "aiw-on",
      true,
      "true",
      "on 1 <i>",
    ]);
    render(null, el);
    expect(el.childNodes).toHaveLength(0);
  });

  it("keeps the elements of keyed items, whatever goes, comes and moves", () => {
    const list = (keys: string[]) => (
      <ul>
        <li>first</li>
        {keys.map((key) => (
          <li key={key}>{key}</li>
        ))}
        <li>last</li>
      </ul>
    );
    render(list(["a", "b", "c"]), el);
    const before = new Map([...el.querySelectorAll("li")].map((item) => [item.textContent, item]));
    for (const keys of [["b", "c", "d"], ["d", "a", "c", "b"], [], ["c", "c"], ["a", "b", "c"]]) {
      render(list(keys), el);
      expect(texts()).toEqual(["first", ...keys, "last"]);
    }
    expect([...el.querySelectorAll("li")].at(0)).toBe(before.get("first"));
    render(list(["c", "a", "b"]), el);
    const items = [...el.querySelectorAll("li")];
    render(list(["b", "c", "a"]), el);
    expect([...el.querySelectorAll("li")]).toEqual([items[0], items[3], items[1], items[2], items[4]]);
  });

  it("draws a component again, in its place, when a signal that it read changes", async () => {
    const shown = signal<string[]>([]);
    let parents = 0;
    const Items = () => shown.value.map((word) => <li key={word}>{word}</li>) as unknown as null;
    const Parent = () => {
      parents += 1;
      return (
        <ul>
          <Items />
          <li>end</li>
        </ul>
      );
    };
    render(<Parent />, el);
    expect(texts()).toEqual(["end"]);
    for (const words of [["a"], ["b", "a"], [], ["c"]]) {
      shown.value = words;
      await drawn();
      expect(texts()).toEqual([...words, "end"]);
    }
    expect(parents).toBe(1);
  });

  it("calls the newest handler, and none that was taken away", () => {
    const calls: string[] = [];
    const button = (name?: string) => (
      <button type="button" onClick={name ? () => calls.push(name) : undefined} />
    );
    for (const name of ["a", "b", undefined, "c"]) {
      render(button(name), el);
      el.querySelector("button")?.click();
    }
    expect(calls).toEqual(["a", "b", "c"]);
  });

  it("shows a field's value once its options are there, and leaves it where nothing changed", () => {
    const choice = (value: string, choices: string[]) => (
      <select value={value}>
        {choices.map((word) => (
          <option key={word} value={word}>
            {word}
          </option>
        ))}
      </select>
    );
    render(choice("b", ["a", "b"]), el);
    const select = el.querySelector("select") as HTMLSelectElement;
    expect(select.value).toBe("b");
    render(choice("c", ["a", "b", "c"]), el);
    expect(select.value).toBe("c");
  });

  it("runs effects when all is in the page, again for other inputs, and ends them before anything leaves", async () => {
    const said: string[] = [];
    const round = signal(0);
    const open = signal(true);
    const Inner = ({ round }: { round: Signal<number> }) => {
      const box = useRef<HTMLElement>(null);
      const now = round.value;
      useEffect(() => {
        said.push(`begin ${now} ${box.current?.isConnected}`);
        return () => said.push(`end ${now} ${box.current?.isConnected}`);
      }, [now > 1]);
      return <i ref={box} />;
    };
    const Outer = () => {
      useEffect(() => {
        said.push("outer");
      }, []);
      return <b>{open.value && <Inner round={round} />}</b>;
    };
    render(<Outer />, el);
    for (round.value = 1; round.peek() < 3; round.value += 1) await drawn();
    open.value = false;
    await drawn();
    round.value = 9;
    await drawn();
    expect(said).toEqual(["begin 0 true", "outer", "end 0 true", "begin 2 true", "end 2 true"]);
    expect(el.innerHTML).toBe("<b></b>");
  });

  it("keeps what a component holds, and draws it with its parent only where that can matter", async () => {
    const step = signal(0);
    const drawings = { held: 0, reading: 0, plain: 0 };
    const other = signal("x");
    const Held = () => {
      drawings.held += 1;
      const count = useSignal(10);
      return (
        <button
          type="button"
          onClick={() => {
            count.value += 1;
          }}
        >
          {count.value}
        </button>
      );
    };
    const Reading = ({ from }: { from: Signal<string> }) => {
      drawings.reading += 1;
      return <i>{from.value}</i>;
    };
    const Plain = () => {
      drawings.plain += 1;
      return <u />;
    };
    const Outer = () => {
      void step.value;
      const memo = useMemo(() => <Plain />, []);
      return (
        <>
          <Held />
          <Reading from={other} />
          <Plain />
          {memo}
        </>
      );
    };
    render(<Outer />, el);
    el.querySelector("button")?.click();
    step.value = 1;
    await drawn();
    expect(el.textContent).toBe("11x");
    expect(drawings).toEqual({ held: 2, reading: 1, plain: 3 });
  });

  it("draws pictures in their namespace", () => {
    render(
      <svg viewBox="0 0 8 8" aria-hidden="true">
        <g class="way">
          <path d="M0 0" />
        </g>
      </svg>,
      el,
    );
    const path = el.querySelector("path");
    expect(path?.namespaceURI).toBe("http://www.w3.org/2000/svg");
    expect(el.querySelector("svg")?.getAttribute("viewBox")).toBe("0 0 8 8");
    expect(el.querySelector(".aiw-way")?.contains(path)).toBe(true);
  });
});
