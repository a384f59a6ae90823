/** Settings in the page's address: what is written is read, and what is not possible is told. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { type Bounded, readAddress, writeAddress } from "../src/page/address";
import { SCHEMA } from "./scripted-engine";

const KINDS = SCHEMA as unknown as Bounded[];
const FRACTION = { ...KINDS[1], name: "top_p", low: 0, high: 1, above: true, optional: true } as Bounded;

it("comes back as it was written", () => {
  const settings = fc.record({
    greedy: fc.boolean(),
    bias: fc.double({ min: -20, max: 20, noNaN: true }).map((bias) => bias + 0),
    seed: fc.nat(),
    context: fc.constantFrom("slide", "stop"),
    system_prompt: fc.option(fc.string({ unit: "grapheme", minLength: 1, maxLength: 200 })),
  });
  fc.assert(
    fc.property(settings, (given) => {
      const { settings: read, refused } = readAddress(writeAddress(given, KINDS), KINDS);
      expect(refused).toEqual([]);
      const usual = Object.fromEntries(KINDS.map(({ name, default: value }) => [name, value]));
      expect({ ...usual, ...read }).toEqual({ ...given, bias: given.bias === 0 ? 0 : given.bias });
    }),
  );
});

it("is empty for the usual settings", () => {
  expect(
    writeAddress({ greedy: false, bias: 0, seed: 0, context: "slide", system_prompt: null }, KINDS),
  ).toBe("");
});

it.each([
  ["#bias=21", "bias cannot be “21”"],
  ["#bias=", "bias cannot be “”"],
  ["#seed=1.5", "seed cannot be “1.5”; it is a whole number"],
  ["#context=forever", "it is one of slide, stop"],
  ["#top_p=0", "top_p cannot be “0”"],
  ["#greedy=1", "it is true or false"],
  ["#constructor=1", "“constructor” is no setting"],
  [`#system_prompt=${"a".repeat(2001)}`, "a text of at most 2000 characters"],
])("refuses %.40s with a sentence", (hash, sentence) => {
  const { settings, refused } = readAddress(hash, [...KINDS, FRACTION]);
  expect(settings).toEqual({});
  expect(refused.join(" ")).toContain(sentence);
});

it("never holds anything but settings, whatever it is", () => {
  fc.assert(
    fc.property(fc.string(), (hash) => {
      const names = KINDS.map(({ name }) => name);
      for (const name of Object.keys(readAddress(hash, KINDS).settings)) expect(names).toContain(name);
    }),
  );
});
