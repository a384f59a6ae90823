// @vitest-environment happy-dom
import { afterEach, describe, expect, it, vi } from "vitest";
import { Inspector } from "../src/panels/inspector";
import type { SessionEvent } from "../src/record/events";
import { BLOCK, chunk, decision, timing, token, turn } from "./fakes";
import { drawn, type Shown, showPanel } from "./view";

const RULE = { greedy: false, temperature: 0.3, top_k: 3, top_p: 1, bias: 0.5, mask: true, seed: 42 };
const TOKENS = { TEXT_BEGIN: 1, KEEP_SILENCE: 2, TEXT_END: 3, AUDIO_BEGIN: 4, PAD: 5, ASSISTANT: 6 };

const SPEAKS = decision(1, {
  token: 1,
  choice: "TEXT_BEGIN",
  p_text: 0.7421875,
  p_keep: 0.2559814453125,
  p_other: 3.0517578125e-7,
  draw: 0.4123456789012346,
  argmax: 1,
  position: 56,
  before: [2],
  oldest: 0,
  used: 57,
  limit: 2048,
  rule: RULE,
  alternatives: [
    { token: 1, text: "TEXT_BEGIN", p: 0.7421875, scaled: 0.96875, kept: 0.96875 },
    { token: 2, text: "KEEP_SILENCE", p: 0.2559814453125, scaled: 0.03125, kept: 0.03125 },
  ],
});
const EVENTS: SessionEvent[] = [
  chunk(0),
  decision(0),
  chunk(1, { flags: ["clipped"] }),
  SPEAKS,
  token(0, 0, "Fire", {
    chunk: 1,
    token: 70,
    position: 57,
    draw: 0.25,
    alternatives: [
      { token: 70, text: "Fire", p: 0.6, scaled: 0.7, kept: 0.75 },
      { token: 71, text: " smoke", p: 0.3, scaled: 0.2, kept: 0.25 },
      { token: 72, text: " rain", p: 0.05, scaled: 0.1, kept: 0 },
    ],
  }),
  turn(0, "Fire", { chunk: 1 }),
  { ...timing(1, 80), queue_ms: 390, decide_ms: 31.25 },
];

async function inspect(events = EVENTS): Promise<Shown> {
  const shown = await showPanel((view) => <Inspector view={view} />, events);
  shown.view.store.vocabulary.value = { tokens: TOKENS, prefix: [], limit: 2048, block: BLOCK };
  shown.view.selected.value = 1;
  await drawn();
  return shown;
}

const texts = (elements: Element[]) => elements.map(({ textContent }) => textContent?.trim());

afterEach(() => {
  document.body.replaceChildren();
  vi.unstubAllGlobals();
});

describe("the inspector", () => {
  it("says what to do while nothing is picked", async () => {
    const { find } = await showPanel((view) => <Inspector view={view} />);
    expect(find("inspector").textContent).toContain("Point at a chunk in the timeline");
  });

  it("shows the chunk under the cursor, keeps the last, and stays with a picked one", async () => {
    const { view, find } = await showPanel((view) => <Inspector view={view} />, EVENTS);
    const shows = async (hovered: number | null) => {
      view.hovered.value = hovered;
      await drawn();
      return find("inspector").dataset.chunk;
    };
    expect(await shows(0)).toBe("0");
    expect(await shows(1)).toBe("1");
    expect(await shows(null)).toBe("1");
    view.selected.value = 0;
    expect(await shows(1)).toBe("0");
  });

  it("shows the tokens fed and produced, with their positions", async () => {
    const { find } = await inspect();
    const cells = [...find("strip").querySelectorAll(".aiw-cell")];
    expect(texts(cells)).toEqual([
      "KEEP_SILENCE44",
      "AUDIO_BEGIN45",
      "PAD×1046–55",
      "ASSISTANT56",
      "TEXT_BEGIN57",
      "Fire58",
      "TEXT_END59",
    ]);
  });

  it("says how full the context is and what leaves it next, by its policy", async () => {
    const { find, view } = await inspect();
    const said = async (context: string) => {
      view.store.settings.value = { context };
      await drawn();
      return find("gauge").textContent;
    };
    expect(await said("slide")).toContain("57 / 2048 positions · evicted next: chunk 0");
    expect(await said("reset")).toContain("all but the prefix is discarded");
    expect(await said("stop")).toContain("the session ends");
  });

  it("shows every step of the draw with Python's digits", async () => {
    const { find, all } = await inspect();
    const rows = all(".aiw-sampling-table tbody tr").map((row) =>
      texts([...row.querySelectorAll(".aiw-number")]),
    );
    // f"{0.7421875:.4f}", f"{0.96875:.4f}"; 0.03125 is a tie, which Python rounds to even.
    expect(rows[0]).toEqual(["1.00", "0.7422", "0.9688", "0.9688"]);
    expect(rows[1]).toEqual(["3.00", "0.2560", "0.0312", "0.0312"]);
    expect(rows[2]).toEqual(["3.1e-07"]);
    expect(find("sampling").textContent).toContain("◀ drawn");
    expect(find("sampling").textContent).toContain("argmax");
    expect(find("sampling").textContent).toContain("÷ T 0.3, bias +0.5, mask");
    expect(find("sampling").textContent).toContain("top-k 3");
    expect(find("sampling").textContent).toContain("0.4123 lies in TEXT_BEGIN (0.0000 to 0.9688) · seed 42");
  });

  it("shows all digits on request, and always in the title", async () => {
    const { find, button, all } = await inspect();
    expect(all(".aiw-number").map(({ title }) => title)).toContain("0.2559814453125");
    button("exact").click();
    await drawn();
    expect(find("sampling").textContent).toContain("0.2559814453125");
    expect(find("sampling").textContent).toContain("0.4123456789012346");
    expect(find("sampling").textContent).toContain("3.0517578125e-07");
  });

  it("explains a token of the reply when it is picked, and the decision again", async () => {
    const { find, button, view } = await inspect();
    button("Fire").click();
    await drawn();
    expect(view.token.value).toEqual({ turn: 0, index: 0 });
    expect(find("inspected-step").textContent).toContain(
      "Token 1 of the reply read at position 57 · token 70",
    );
    expect(find("sampling").textContent).toContain("removed");
    expect(find("sampling").textContent).not.toContain("bias");
    expect(button("Fire").getAttribute("aria-pressed")).toBe("true");
    button("TEXT_BEGIN").click();
    await drawn();
    expect(find("inspected-step").textContent).toContain("The decision");
  });

  it("walks the produced tokens with the arrow keys, from one tab stop", async () => {
    const { button } = await inspect();
    const [first, second] = [button("TEXT_BEGIN"), button("Fire")];
    expect([first.tabIndex, second.tabIndex]).toEqual([0, -1]);
    first.focus();
    first.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true, cancelable: true }));
    expect(document.activeElement).toBe(second);
  });

  it("shows where the time went, and that the deadline was missed", async () => {
    const { find, view } = await inspect();
    view.store.record.latency.takeWay(1, { capture: 4, uplink: 2.5, downlink: null, paint: null });
    view.store.version.value += 1;
    await drawn();
    const rows = texts([...find("latency").querySelectorAll("tbody tr")]);
    expect(rows).toContain("capture4.0");
    expect(rows).toContain("decide31.2");
    expect(rows).toContain("downlink–");
    expect(rows.at(-1)).toBe("total430.8");
    expect(find("latency").textContent).toContain("missed by 30.8 ms");
    expect(find("latency").textContent).toContain("reply afterwards 80.0 ms");
  });

  it("gives the events as JSON, and copies them", async () => {
    const written: string[] = [];
    Object.defineProperty(navigator, "clipboard", {
      configurable: true,
      value: { writeText: async (text: string) => void written.push(text) },
    });
    const { el, find, button } = await inspect();
    for (const fold of el.querySelectorAll("details")) fold.open = true;
    await drawn();
    const json = find("event-json").textContent ?? "";
    expect(json).toContain('"p_text": 0.7421875');
    expect(json).toContain('"envelope": [0.1, 0.5, 0.2]');
    button("Copy the JSON").click();
    await drawn();
    expect(written).toEqual([json]);
    expect(button("Copy the JSON").textContent).toBe("copied");
  });

  it("plays the chunk as heard, and says where there is no sound", async () => {
    const played: number[] = [];
    class Context {
      destination = {};
      createBuffer = (_channels: number, length: number) => {
        played.push(length);
        return { getChannelData: () => new Float32Array(length) };
      };
      createBufferSource = () => {
        const source = {
          onended: null as (() => void) | null,
          connect: () => {},
          disconnect: () => {},
          start: () => source.onended?.(),
        };
        return source;
      };
      async resume() {}
      async close() {}
    }
    vi.stubGlobal("AudioContext", Context);
    const { view, find } = await inspect();
    view.channel.fetchAudio = async () => ({
      sound: { rate: 16_000, samples: new Float32Array(6400) },
    });
    find("play-heard").click();
    await drawn();
    expect(played).toEqual([6400]);
    find("play-raw").click();
    await drawn();
    expect(find("inspector").textContent).toContain("This page no longer has a recording of this chunk");
  });

  it("shows neither decision nor reply of what step mode hides", async () => {
    const { view, find, el } = await inspect();
    view.hiddenFrom.value = { decision: 1, reply: 1 };
    await drawn();
    for (const fold of el.querySelectorAll("details")) fold.open = true;
    await drawn();
    expect(find("undecided").textContent).toContain("Hidden until it is revealed");
    expect(find("strip")).toBeNull();
    expect(el.textContent).not.toContain("Fire");
    expect(find("event-json").textContent).not.toContain("p_text");
    view.hiddenFrom.value = { decision: 2, reply: 1 };
    await drawn();
    expect(find("strip").textContent).toContain("TEXT_BEGIN");
    expect(el.textContent).not.toContain("Fire");
  });

  it("says what an older event does not tell", async () => {
    const { find } = await inspect([chunk(0), decision(0), chunk(1), decision(1, { limit: 0, rule: {} })]);
    expect(find("sampling").textContent).toContain("written by an older version");
    expect(find("gauge")).toBeNull();
  });
});
