import { describe, expect, it } from "vitest";
import { decimals, probability, repr } from "../src/text/exact";

describe("numbers", () => {
  it("have the decimals that Python prints", () => {
    // f"{x:.4f}" in Python 3.
    expect([0.12345, 0.00005, 1, 0, 0.99995, -2.71234].map((x) => decimals(x))).toEqual([
      "0.1235",
      "0.0001",
      "1.0000",
      "0.0000",
      "1.0000",
      "-2.7123",
    ]);
  });

  it("round ties to even, as Python does", () => {
    expect([0.125, 0.375, -0.125].map((x) => decimals(x, 2))).toEqual(["0.12", "0.38", "-0.12"]);
    expect([0.03125, 0.09375].map((x) => decimals(x))).toEqual(["0.0312", "0.0938"]);
    expect([0.5, 1.5, 2.5].map((x) => decimals(x, 0))).toEqual(["0", "2", "2"]);
  });

  it("do not become zero for being small", () => {
    expect(probability(3.14e-7)).toBe("3.1e-07");
    expect(probability(4.9e-5)).toBe("4.9e-05");
    expect(probability(5.1e-5)).toBe("0.0001");
    expect(probability(0)).toBe("0.0000");
    expect(probability(1e-120)).toBe("1.0e-120");
  });

  it("are written out in full as Python's repr does", () => {
    const pairs: [number, string][] = [
      [0.1 + 0.2, "0.30000000000000004"],
      [1, "1.0"],
      [0, "0.0"],
      [-0, "-0.0"],
      [1e-5, "1e-05"],
      [0.0001, "0.0001"],
      [1.5e-7, "1.5e-07"],
      [1e16, "1e+16"],
      [123456789012345680, "1.2345678901234568e+17"],
      [1e15, "1000000000000000.0"],
      [5e-324, "5e-324"],
      [Number.NaN, "nan"],
      [-Infinity, "-inf"],
    ];
    for (const [x, written] of pairs) expect(repr(x)).toBe(written);
  });
});
