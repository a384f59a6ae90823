import { describe, expect, it } from "vitest";
import { batch, computed, effect, signal, untracked } from "../src/dom/signals";

describe("signals", () => {
  it("run an effect now and after each change of what it read, until it is ended", () => {
    const [a, b] = [signal(1), signal(10)];
    const seen: number[] = [];
    const end = effect(() => {
      seen.push(a.value === 2 ? b.value : a.value);
    });
    b.value = 11;
    a.value = 2;
    b.value = 12;
    a.value = 3;
    b.value = 13;
    end();
    a.value = 4;
    expect(seen).toEqual([1, 11, 12, 3]);
  });

  it("tell nobody of a value that is what it was", () => {
    const a = signal(1);
    const even = computed(() => a.value % 2 === 0);
    const seen: boolean[] = [];
    effect(() => {
      seen.push(even.value);
    });
    a.value = 1;
    a.value = 3;
    a.value = 4;
    expect(seen).toEqual([false, true]);
  });

  it("work out a computed value once per change, observed or not, and never show a mixture", () => {
    const a = signal(1);
    let runs = 0;
    const double = computed(() => {
      runs += 1;
      return 2 * a.value;
    });
    expect([double.value, double.peek(), runs]).toEqual([2, 2, 1]);
    const seen: string[] = [];
    const end = effect(() => {
      seen.push(`${a.value} ${double.value}`);
    });
    a.value = 2;
    expect(seen).toEqual(["1 2", "2 4"]);
    expect(runs).toBe(2);
    end();
    a.value = 3;
    expect(runs).toBe(2);
    expect(double.value).toBe(6);
  });

  it("tell once of a batch, also where effects change signals", () => {
    const [a, b, sum] = [signal(1), signal(2), signal(0)];
    const seen: number[] = [];
    effect(() => {
      sum.value = a.value + b.value;
    });
    effect(() => {
      seen.push(sum.value);
    });
    batch(() => {
      a.value = 5;
      b.value = 6;
      expect(sum.peek()).toBe(3);
    });
    expect(seen).toEqual([3, 11]);
  });

  it("do not observe what is peeked at or read untracked, nor what a subscriber reads", () => {
    const [a, b, c] = [signal(1), signal(1), signal(1)];
    const seen: number[] = [];
    effect(() => {
      seen.push(a.value + b.peek() + untracked(() => c.value));
    });
    const taken: number[] = [];
    const end = a.subscribe((value) => taken.push(value + b.value));
    b.value = 2;
    c.value = 2;
    a.value = 2;
    end();
    a.value = 3;
    expect(seen).toEqual([3, 6, 7]);
    expect(taken).toEqual([2, 4]);
  });

  it("let every effect have its turn when one fails, and fail then", () => {
    const a = signal(0);
    let seen = 0;
    effect(() => {
      if (a.value === 1) throw new Error("no one");
    });
    effect(() => {
      seen = a.value;
    });
    expect(() => {
      a.value = 1;
    }).toThrow("no one");
    expect(seen).toBe(1);
    a.value = 2;
    expect(seen).toBe(2);
  });

  it("recover a computed value that could not be worked out", () => {
    const a = signal(0);
    const inverse = computed(() => {
      if (a.value === 0) throw new Error("zero");
      return 1 / a.value;
    });
    expect(() => inverse.value).toThrow("zero");
    a.value = 4;
    expect(inverse.value).toBe(0.25);
  });
});
