/** What a branch of the page's session changes: the same as the kernel's (tests/test_branch_audio.py). */
import { describe, expect, it } from "vitest";
import { askedChange, changeText } from "../src/page/asked-change";

const HEARD = 10;
const SAMPLES = Float32Array.from({ length: 6500 }, (_, i) => i);

describe("a span", () => {
  it("is muted, copied, exchanged or forced", () => {
    expect(askedChange({ chunk: 4, span: 2, audio: "mute" }, HEARD).audio).toEqual({ 4: null, 5: null });
    expect(askedChange({ chunk: 4, span: 2, audio: "copy", other: 5 }, HEARD).audio).toEqual({ 4: 5, 5: 6 });
    expect(askedChange({ chunk: 4, span: 2, audio: "swap", other: 1 }, HEARD)).toMatchObject({
      chunk: 1,
      audio: { 1: 4, 2: 5, 4: 1, 5: 2 },
    });
    const forced = askedChange({ chunk: 4, span: 2, force: "KEEP_SILENCE" }, HEARD);
    expect(forced.force).toEqual({ 4: "KEEP_SILENCE", 5: "KEEP_SILENCE" });
    expect(askedChange({ chunk: 4, settings: { bias: 1 } }, HEARD)).toEqual({
      chunk: 4,
      settings: { bias: 1 },
    });
  });

  it("has the samples of a file chunk by chunk", () => {
    const { audio } = askedChange({ chunk: 4, samples: SAMPLES }, HEARD);
    const parts = Object.values(audio ?? {}) as Float32Array[];
    expect(parts.map((part) => [part[0], part.length])).toEqual([
      [0, 6400],
      [6400, 100],
    ]);
  });

  it.each([
    [{ audio: "mute", span: 7 }, "chunks 4 to 10 goes beyond"],
    [{ audio: "copy", span: 3, other: 8 }, "chunks 8 to 10 goes beyond"],
    [{ audio: "swap", span: 2, other: 5 }, "chunks 4 to 5 and chunks 5 to 6 share a chunk"],
    [{ chunk: 9, samples: SAMPLES }, "chunks 9 to 10 goes beyond"],
  ] as const)("that is not possible is refused with a sentence: %o", (fields, sentence) => {
    expect(() => askedChange({ chunk: 4, ...fields }, HEARD)).toThrow(sentence);
  });
});

it("a change is told in words", () => {
  const told = [
    { chunk: 4, settings: { bias: 0.5 }, force: "TEXT_BEGIN", audio: "mute" },
    { chunk: 4, span: 2, audio: "swap", other: 7 },
    { chunk: 4, samples: SAMPLES },
    { chunk: 0, settings: { system_prompt: "p".repeat(50) } },
    { chunk: 4 },
  ] as const;
  expect(told.map(changeText)).toEqual([
    "bias 0.5, TEXT_BEGIN forced, muted",
    "chunks 4 to 5 and chunks 7 to 8 exchanged",
    "other audio at chunks 4 to 5",
    `system_prompt ${"p".repeat(40)}…`,
    "nothing changed",
  ]);
});
