import { describe, expect, it } from "vitest";
import { NO_VOCABULARY, nameOf, readVocabulary } from "../src/vocabulary";

describe("the vocabulary", () => {
  it("names ids by the first name they have, and no token of the text", () => {
    const vocabulary = readVocabulary({ TEXT_BEGIN: 5, SYSTEM: 5, HAPPY: 9 }, [[5, "SYSTEM"]]);
    expect([5, 9, 7].map((id) => nameOf(vocabulary, id))).toEqual(["TEXT_BEGIN", "HAPPY", null]);
    expect(vocabulary.prefix).toEqual([[5, "SYSTEM"]]);
  });

  it("takes what it can from a kernel that says less", () => {
    expect(readVocabulary(undefined, undefined)).toEqual(NO_VOCABULARY);
    expect(readVocabulary({ PAD: "x" }, [[1], "y", ["z", "z"]])).toEqual({ ids: {}, prefix: [[1, ""]] });
  });
});
