import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { applyEvent } from "../src/record/record";
import { replyLane } from "../src/timeline/lane-reply";
import { FakeCanvas, frameOf, longRecord, stubDrawing } from "./fake-canvas";
import { timing, token, turn } from "./fakes";

beforeEach(() => {
  stubDrawing();
});
afterEach(() => {
  vi.unstubAllGlobals();
});

describe("the reply lane", () => {
  const record = () => {
    const made = longRecord(60);
    for (const [i, word] of ["You", " said", " seven."].entries()) {
      applyEvent(made, token(0, i, word, { chunk: 10, p: 0.9 }));
    }
    applyEvent(made, turn(0, "You said seven.", { chunk: 10, emotion: "happy" }));
    applyEvent(made, timing(10, 1200));
    return made;
  };

  /** A record whose reply at chunk 10 is made of these tokens. */
  const spoken = (...words: string[]) => {
    const made = longRecord(60);
    for (const [i, word] of words.entries()) applyEvent(made, token(0, i, word, { chunk: 10, p: 0.9 }));
    applyEvent(made, turn(0, words.join(""), { chunk: 10 }));
    applyEvent(made, timing(10, 1200));
    return made;
  };
  /** The reply's line: its text, and where and how it was drawn. */
  const lineIn = (canvas: FakeCanvas) => canvas.named("fillText").at(-1);
  /** Left edges and widths of the shades below a line: boxes as tall as a line of text. */
  const shadesIn = (canvas: FakeCanvas) =>
    canvas
      .named("fillRect")
      .filter(({ args }) => args[3] === 15)
      .map(({ args }) => [args[0], args[2]] as [number, number]);

  it("writes the reply with emotion and duration, each token over its shade", () => {
    const canvas = new FakeCanvas();
    replyLane.draw(frameOf(record(), 0, 16, canvas));
    expect(canvas.named("fillText").map(({ args }) => args[0])).toEqual(["happy · 1.2 s", "You said seven."]);
    const [x] = (lineIn(canvas)?.args.slice(1) ?? []) as [number];
    expect(shadesIn(canvas)).toEqual([
      [x, 17.5],
      [x + 18, 29.5],
      [x + 48, 41.5],
    ]);
  });

  it("draws Hebrew as one text from the right, with its shades", () => {
    const canvas = new FakeCanvas();
    replyLane.draw(frameOf(spoken("שלום", " לכם"), 0, 16, canvas));
    const line = lineIn(canvas);
    expect(line?.args[0]).toBe("שלום לכם");
    expect([line?.direction, line?.align]).toEqual(["rtl", "right"]);
    const right = line?.args[1] as number;
    expect(shadesIn(canvas)).toEqual([
      [right - 24, 23.5],
      [right - 48, 23.5],
    ]);
  });

  it("draws letters of both directions without shades, which would lie elsewhere", () => {
    const canvas = new FakeCanvas();
    replyLane.draw(frameOf(spoken("אמרת", " seven", " 7"), 0, 16, canvas));
    expect(lineIn(canvas)?.args[0]).toBe("אמרת seven 7");
    expect(shadesIn(canvas)).toEqual([]);
  });

  it("never takes an emoji or a letter with its marks apart, in no width", () => {
    const family = "👩‍👩‍👧‍👦";
    const pieces = ["👩‍", "👩‍👧", "‍👦", " e", "\u0301", " 🇮🇱"];
    const whole = new Set([`${family} é 🇮🇱`]);
    for (const shown of ["…", `${family}…`, `${family} é…`]) whole.add(shown);
    whole.add("");
    for (let span = 16; span < 400; span *= 1.15) {
      const made = spoken(...pieces);
      applyEvent(made, token(1, 0, "x", { chunk: 11 }));
      applyEvent(made, turn(1, "x", { chunk: 11 }));
      const canvas = new FakeCanvas();
      replyLane.draw(frameOf(made, 0, span, canvas));
      for (const { args } of canvas.named("fillText")) {
        if (/[👩👧👦🇮]|\u0301/u.test(String(args[0]))) expect(whole).toContain(String(args[0]));
      }
    }
    const canvas = new FakeCanvas();
    replyLane.draw(frameOf(spoken(...pieces), 0, 16, canvas));
    expect(shadesIn(canvas)).toHaveLength(3);
  });

  it("begins where its chunk ends", () => {
    const canvas = new FakeCanvas();
    replyLane.draw(frameOf(record(), 0, 16, canvas));
    expect(canvas.named("roundRect")[0]?.args[0]).toBeCloseTo(4.4 * 50 + 0.5);
  });

  it("keeps to itself what step mode hides", () => {
    const canvas = new FakeCanvas();
    replyLane.draw({ ...frameOf(record(), 0, 16, canvas), hidden: { decision: 10, reply: 10 } });
    expect(canvas.calls).toEqual([]);
  });
});
