// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { Transcript } from "../src/panels/transcript";
import type { SessionEvent } from "../src/record/events";
import { shadeOf } from "../src/style/shade";
import { chunk, decision, token, turn } from "./fakes";
import { drawn, showPanel } from "./view";

/** A reply of two words at chunk `k`. */
function reply(k: number, first = "You", second = " said"): SessionEvent[] {
  return [
    chunk(k),
    decision(k, { choice: "TEXT_BEGIN" }),
    token(k, 0, first, { chunk: k, p: 0.95, token: 5 }),
    token(k, 1, second, {
      chunk: k,
      p: 0.41,
      token: 6,
      alternatives: [
        { token: 6, text: second, p: 0.41, scaled: 0.5, kept: 0.5 },
        { token: 7, text: " heard", p: 0.3, scaled: 0.3, kept: 0.3 },
      ],
    }),
    turn(k, first + second, { chunk: k, emotion: "happy" }),
  ];
}

const many = (count: number) =>
  Array.from({ length: count }, (_, k) => [chunk(k), turn(k, `Reply ${k}`, { chunk: k })]).flat();
const show = (events: SessionEvent[]) => showPanel((view) => <Transcript view={view} />, events);

afterEach(() => document.body.replaceChildren());

describe("the transcript", () => {
  it("says what will be here", async () => {
    const { find } = await show([]);
    expect(find("transcript").textContent).toContain("Replies appear here");
  });

  it("shades tokens by probability, with a legend for each shade", async () => {
    const { all } = await show(reply(0));
    const shades = (selector: string) => all(selector).map((element) => element.dataset.shade);
    expect(shades(".aiw-turn-text .aiw-token")).toEqual(["0", "3"]);
    expect(shades(".aiw-legend .aiw-token")).toEqual(["0", "1", "2", "3", "4"]);
    expect([1, 0.9, 0.89, 0.7, 0.5, 0.3, 0.29, 0].map(shadeOf)).toEqual([0, 0, 1, 1, 2, 3, 4, 4]);
  });

  it("shows the alternatives of a token in focus, with their probabilities", async () => {
    const { all, el } = await show(reply(0));
    all(".aiw-turn-text .aiw-token")[1]?.focus();
    await drawn();
    const rows = [...el.querySelectorAll("[role=tooltip] .aiw-tip-row")].map((row) => row.textContent);
    expect(rows).toEqual(["␣said0.4100", "␣heard0.3000"]);
    (document.activeElement as HTMLElement).blur();
    await drawn();
    expect(el.querySelector("[role=tooltip]")).toBeNull();
  });

  it("opens a token in the inspector by click and by Enter, and the chunk by its time", async () => {
    const { all, view, button } = await show(reply(0));
    const jumped: number[] = [];
    view.showChunk = (k) => jumped.push(k);
    const [first, second] = all(".aiw-turn-text .aiw-token");
    second?.click();
    expect([view.selected.value, view.token.value]).toEqual([0, { turn: 0, index: 1 }]);
    first?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
    expect(view.token.value).toEqual({ turn: 0, index: 0 });
    button("0:00.0").click();
    expect(view.token.value).toBeNull();
    expect(jumped).toEqual([0, 0, 0]);
  });

  it("names the emotion beside its face", async () => {
    const { find } = await show(reply(0));
    expect(find("turn").querySelector(".aiw-emotion")?.textContent).toBe("happy");
    expect(find("turn").querySelector(".aiw-emotion svg")).not.toBeNull();
  });

  it("copies one reply, and all of them", async () => {
    const written: string[] = [];
    Object.defineProperty(navigator, "clipboard", {
      configurable: true,
      value: { writeText: async (text: string) => void written.push(text) },
    });
    const { button } = await show([...reply(0), ...reply(1, "And", " more")]);
    button("Copy this reply").click();
    button("Copy all replies").click();
    await drawn();
    expect(written).toEqual(["You said", "0:00.0 [happy] You said\n0:00.4 [happy] And more"]);
  });

  it("draws the newest replies only, and earlier ones on request", async () => {
    const { all, find } = await show(many(120));
    expect(all('[data-testid="turn"]')).toHaveLength(50);
    expect(all('[data-testid="turn"]').at(-1)?.dataset.turn).toBe("119");
    expect(find("earlier").textContent).toBe("Show 50 of 70 earlier");
    find("earlier").click();
    await drawn();
    expect(all('[data-testid="turn"]')).toHaveLength(100);
    find("earlier").click();
    await drawn();
    expect(all('[data-testid="turn"]')).toHaveLength(120);
    expect(find("earlier")).toBeNull();
  });

  it("announces a finished reply once, and no token", async () => {
    const { find, add } = await show([]);
    const events = reply(0);
    await add(...events.slice(0, 4));
    expect(find("announcement").textContent).toBe("");
    await add(...events.slice(4));
    expect(find("announcement").textContent).toBe("You said");
    const first = find("announcement").firstElementChild;
    const again = reply(1);
    await add(...again.slice(0, 4));
    expect(find("announcement").firstElementChild).toBe(first);
    await add(...again.slice(4));
    expect(find("announcement").textContent).toBe("You said");
    // Another node, so that the same words are read out again.
    expect(find("announcement").firstElementChild).not.toBe(first);
  });

  it("neither shows nor announces what step mode hides", async () => {
    const { find, all, view } = await show([...reply(0), ...reply(1)]);
    view.hiddenFrom.value = { decision: 2, reply: 1 };
    await drawn();
    expect(all('[data-testid="turn"]')).toHaveLength(1);
    expect(find("announcement").textContent).toBe("");
    view.hiddenFrom.value = { decision: 0, reply: 0 };
    await drawn();
    expect(find("transcript").textContent).toContain("Replies are hidden");
  });
});

describe("reading aloud", () => {
  it("says what the microphone does meanwhile, and stops on request", async () => {
    const { view, find, button } = await show(reply(0));
    const { store, channel } = view;
    const spoken: string[] = [];
    Object.defineProperty(globalThis, "speechSynthesis", {
      configurable: true,
      value: { speak: ({ text }: { text: string }) => spoken.push(text), cancel: () => {} },
    });
    Object.defineProperty(globalThis, "SpeechSynthesisUtterance", {
      configurable: true,
      value: class {
        constructor(readonly text: string) {}
      },
    });
    button("Read this reply aloud").click();
    await drawn();
    expect(spoken).toEqual(["You said"]);
    expect(channel.speech.reading.value).toBe(0);
    expect(find("reading").textContent).toContain("the microphone is off");
    store.track.value = { echoCancellation: true };
    await drawn();
    expect(find("reading").textContent).toContain("muted meanwhile · echo cancellation is on");
    store.live.value = { ...store.live.value, reading: "listen" };
    await drawn();
    expect(find("reading").textContent).toContain("the microphone stays on");
    button("Stop reading aloud").click();
    await drawn();
    expect(find("reading")).toBeNull();
    Reflect.deleteProperty(globalThis, "speechSynthesis");
  });

  it("says so where the browser cannot speak", async () => {
    const { find, button } = await show(reply(0));
    button("Read this reply aloud").click();
    await drawn();
    expect(find("reading-problem").textContent).toContain("This browser cannot read text aloud");
  });
});
