// @vitest-environment happy-dom

import fc from "fast-check";
import { render } from "preact";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Conversation } from "../src/conversation";
import { addEvents } from "../src/store/store";
import { ChunkTable } from "../src/timeline/table";
import { COLUMNS, ROW_PX, rowForKey, rowOf, rowsInSight, scrollToRow } from "../src/timeline/table-rows";
import { createView, type View } from "../src/view";
import { chunk, decision, FakeModel, timing, turn } from "./fakes";

/** Effects of the drawing have run. */
const drawn = () => new Promise((resolve) => setTimeout(resolve, 60));

describe("the rows in sight", () => {
  it("are all those that show, and few more", () => {
    fc.assert(
      fc.property(
        fc.nat(20_000),
        fc.nat(500_000),
        fc.integer({ min: 50, max: 900 }),
        (count, top, height) => {
          const { first, last } = rowsInSight(count, top, height);
          expect(first).toBeGreaterThanOrEqual(0);
          expect(last).toBeLessThanOrEqual(Math.max(count, first));
          expect(last - first).toBeLessThanOrEqual(height / ROW_PX + 15);
          for (const y of [top, top + height - 1]) {
            const row = Math.floor(y / ROW_PX);
            if (row < count) expect(row >= first && row < last).toBe(true);
          }
        },
      ),
    );
  });

  it("scroll no further than needed", () => {
    expect(scrollToRow(10, 0, 240)).toBe(24);
    expect(scrollToRow(9, 0, 240)).toBe(0);
    expect(scrollToRow(2, 480, 240)).toBe(48);
  });

  it("are walked by keys, and never left", () => {
    expect(rowForKey("ArrowDown", 4, 10, 5)).toBe(5);
    expect(rowForKey("PageDown", 7, 10, 5)).toBe(9);
    expect(rowForKey("PageUp", 3, 10, 5)).toBe(0);
    expect(rowForKey("End", 3, 10, 5)).toBe(9);
    expect(rowForKey("x", 3, 10, 5)).toBeNull();
  });
});

describe("the table", () => {
  let box: HTMLElement;
  let view: View;

  beforeEach(async () => {
    box = document.createElement("div");
    document.body.append(box);
    view = createView(new Conversation(new FakeModel()));
    const events = Array.from({ length: 1000 }, (_, k) => [chunk(k), decision(k)]).flat();
    addEvents(view.store, [
      ...events,
      chunk(999, { flags: ["clipped"], rms_db: -21.26 }),
      decision(999, { choice: "TEXT_BEGIN", p_text: 0.74216 }),
      timing(999, 300, { queue_ms: 40 }),
      turn(0, "Hello.", { chunk: 999, emotion: "happy" }),
    ]);
    render(<ChunkTable id="rows" view={view} height={360} />, box);
    await drawn();
  });
  afterEach(() => {
    render(null, box);
    box.remove();
  });

  const grid = () => box.querySelector("[role=grid]") as HTMLElement;
  const row = (k: number) => box.querySelector<HTMLElement>(`[data-chunk="${k}"]`);
  const press = async (key: string) => {
    grid().dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    await drawn();
  };

  it("draws only some of a thousand rows, and says how many there are", () => {
    expect(box.querySelectorAll("[data-chunk]").length).toBeLessThan(40);
    expect(grid().getAttribute("aria-rowcount")).toBe("1001");
    expect([...box.querySelectorAll("th")].map(({ textContent }) => textContent)).toEqual([...COLUMNS]);
  });

  it("says of a chunk what is known", () => {
    expect(rowOf(view.store.record, 999, view.hiddenFrom.value).cells).toEqual([
      "999",
      "399.6 s",
      "−21.3 dB",
      "speak",
      "0.7422",
      "happy: Hello.",
      "46 ms",
      "clipped",
    ]);
    expect(rowOf(view.store.record, 999, { decision: 999, reply: 999 }).cells.slice(3, 7)).toEqual([
      "hidden",
      "hidden",
      "",
      "",
    ]);
    expect(rowOf(view.store.record, 2000, view.hiddenFrom.value).cells.slice(2, 5)).toEqual(["–", "–", "–"]);
  });

  it("is walked and picked from by keyboard", async () => {
    await press("Home");
    expect(row(0)?.dataset.cursor).toBe("true");
    await press("ArrowDown");
    await press("Enter");
    expect(view.selected.value).toBe(1);
    expect(row(1)?.getAttribute("aria-selected")).toBe("true");
    expect(grid().getAttribute("aria-activedescendant")).toBe(row(1)?.id);
    await press("Enter");
    expect(view.selected.value).toBeNull();
  });

  it("picks a row by a click, and goes where a chunk is picked elsewhere", async () => {
    await press("Home");
    row(3)?.click();
    await drawn();
    expect(view.selected.value).toBe(3);
    view.selected.value = 500;
    await drawn();
    expect(row(500)?.dataset.cursor).toBe("true");
  });
});
