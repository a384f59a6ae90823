import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_TEXT } from "../src/channel/messages";
import { fitText } from "../src/channel/payload";
import {
  boundaries,
  cutAtGrapheme,
  directionOf,
  isMixed,
  isolated,
  wholeGraphemes,
} from "../src/text/graphemes";

const FAMILY = "👩‍👩‍👧‍👦";
const text = fc.array(
  fc.constantFrom("a", " ", "e\u0301", FAMILY, "🇮🇱", "🇩🇪", "👍🏽", "ש", "שׁ", "한", "क्षि", "\r\n", "1"),
  { maxLength: 40 },
);

describe("graphemes", () => {
  it("are never taken apart by a cut", () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 0, max: 60 }), (parts, most) => {
        const whole = parts.join("");
        const cut = cutAtGrapheme(whole, most);
        expect(whole.startsWith(cut)).toBe(true);
        expect(cut.length).toBeLessThanOrEqual(Math.max(most, 0));
        expect(boundaries(whole)).toContain(cut.length);
      }),
    );
  });

  it("are joined again where tokens take them apart, and nothing else is", () => {
    fc.assert(
      fc.property(text, (parts) => {
        const points = [...parts.join("")];
        const groups = wholeGraphemes(points, (point) => point).map((group) => group.join(""));
        const segments = [...new Intl.Segmenter().segment(points.join(""))].map(({ segment }) => segment);
        expect(groups).toEqual(segments);
      }),
    );
  });

  it("stay whole in a message's field", () => {
    const long = `${"x".repeat(MAX_TEXT - 4)}${FAMILY}`;
    expect(fitText(long)).toBe(`${"x".repeat(MAX_TEXT - 4)}…`);
    expect(fitText("short")).toBe("short");
  });
});

describe("direction", () => {
  it.each([
    ["שלום 7", "rtl", true],
    ["שלום", "rtl", false],
    ["مرحبا", "rtl", false],
    ["Hello", "ltr", false],
    ["7 שלום", "rtl", true],
    ["He said שלום", "ltr", true],
    ["123", "ltr", false],
  ])("of %s is %s", (line, direction, mixed) => {
    expect([directionOf(line), isMixed(line)]).toEqual([direction, mixed]);
  });

  it("of a quoted reply does not reorder the sentence around it", () => {
    expect(isolated("שלום")).toBe("\u2068שלום\u2069");
    expect(isolated("Hello")).toBe("Hello");
  });
});
