import { expect, it } from "vitest";
import { nameOf } from "../src/record/vocabulary";

it("names ids by the first name they have, and no token of the text", () => {
  const tokens = { TEXT_BEGIN: 5, SYSTEM: 5, HAPPY: 9 };
  expect([5, 9, 7].map((id) => nameOf({ tokens }, id))).toEqual(["TEXT_BEGIN", "HAPPY", null]);
});
