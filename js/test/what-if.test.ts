/** What another rule would have decided, from recorded logits and random numbers: the same numbers as Python's. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decided, pairOf } from "../src/record/decision-rule";
import { DecisionTable } from "../src/record/decision-table";
import type { Alternative, Decision, Rule } from "../src/record/events";
import { isChange, NO_CHANGE, ruleOf, type WhatIf, whatIf } from "../src/record/what-if";
import { decision } from "./fakes";

const RULE: Rule = { greedy: false, temperature: 1, top_k: null, top_p: 1, bias: 0, mask: true, seed: 0 };
const changed = (changes: Partial<WhatIf>): WhatIf => ({ ...NO_CHANGE, ...changes });

function tableOf(...decisions: Partial<Decision>[]): DecisionTable {
  const table = new DecisionTable();
  decisions.forEach((one, k) => {
    table.set(decision(k, { logit_keep: 1, logit_text: 0, draw: 0.5, rule: RULE, ...one }));
  });
  return table;
}

const flipsOf = (table: DecisionTable, changes: Partial<WhatIf>) =>
  whatIf(table, changed(changes)).changed.map(({ chunk }) => chunk);

describe("what if", () => {
  it("nothing is changed, nothing is another decision", () => {
    expect(isChange(NO_CHANGE)).toBe(false);
    expect(whatIf(tableOf({}, {}), NO_CHANGE)).toMatchObject({ changed: [], unknown: [], exactToEnd: true });
  });

  it("a bias beyond the difference of the logits makes a greedy model speak", () => {
    const table = tableOf({ rule: { ...RULE, greedy: true }, draw: null });
    expect(flipsOf(table, { bias: 0.99 })).toEqual([]);
    // At equal scores the token that stands first is taken: KEEP_SILENCE.
    expect(flipsOf(table, { bias: 1 })).toEqual([]);
    expect(flipsOf(table, { bias: 1.01 })).toEqual([0]);
  });

  it("the random number falls first on the likelier token", () => {
    // p(KEEP) = 0.731: numbers below are silent, those above speak.
    const silent = tableOf({ draw: 0.73 });
    expect(flipsOf(silent, { temperature: 1 })).toEqual([]);
    // At temperature 2, p(KEEP) = 0.622.
    expect(flipsOf(silent, { temperature: 2 })).toEqual([0]);
    // With a bias of 2, TEXT is the likelier one and comes first: 0.731.
    expect(flipsOf(silent, { bias: 2 })).toEqual([0]);
    expect(flipsOf(tableOf({ draw: 0.74 }), { bias: 2 })).toEqual([]);
  });

  it("a threshold takes the place of the draw", () => {
    const table = tableOf({ draw: 0.1 }, { logit_text: 3, draw: 0.99, choice: "KEEP_SILENCE" });
    expect(flipsOf(table, { threshold: 0.5 })).toEqual([1]);
    // p(TEXT) of the first chunk is 0.2689.
    expect(flipsOf(table, { threshold: 0.26 })).toEqual([0, 1]);
    expect(flipsOf(table, { threshold: 0.27 })).toEqual([1]);
  });

  it("top-k 1 and a small top-p leave the likelier token only", () => {
    for (const rule of [
      { ...RULE, top_k: 1 },
      { ...RULE, top_p: 0.7 },
    ]) {
      expect(flipsOf(tableOf({ draw: 0.999, rule }), { bias: 0.1 })).toEqual([]);
      expect(pairOf(1, 0, rule).keep_kept).toBe(1);
    }
  });

  it("everything up to the first other decision is exact", () => {
    const table = tableOf({}, { logit_text: 0.9 }, {}, { logit_text: 0.9 });
    const result = whatIf(table, changed({ bias: 0.5 }));
    expect(result.changed).toEqual([
      { chunk: 1, choice: "TEXT_BEGIN" },
      { chunk: 3, choice: "TEXT_BEGIN" },
    ]);
    expect([result.exactUntil, result.exactToEnd]).toEqual([1, false]);
  });

  it("a reply that another temperature draws ends what is exact", () => {
    const table = tableOf({}, { logit_text: 9, choice: "TEXT_BEGIN" }, {});
    expect(whatIf(table, changed({ temperature: 0.5 }))).toMatchObject({
      changed: [],
      exactUntil: 1,
      exactToEnd: false,
    });
    expect(whatIf(table, changed({ bias: 0.1 }))).toMatchObject({
      changed: [],
      exactUntil: 2,
      exactToEnd: true,
    });
  });

  it("without a recorded random number only greedy decisions can be told", () => {
    expect(whatIf(tableOf({ draw: null }), changed({ bias: 5 })).unknown).toEqual([0]);
  });

  const listed = (token: number, text: string, p: number): Alternative => ({
    token,
    text,
    p,
    scaled: 0,
    kept: 0,
  });
  /** KEEP 0.5, TEXT 0.1, one other token 0.3, and the rest 0.1. */
  const open = {
    ...{ p_keep: 0.5, p_text: 0.1, p_other: 0.4, logit_keep: Math.log(0.5), logit_text: Math.log(0.1) },
    alternatives: [listed(2, "KEEP_SILENCE", 0.5), listed(9, "so", 0.3), listed(1, "TEXT_BEGIN", 0.1)],
  };

  it("without the mask a listed token may be drawn: a violation", () => {
    const rule = { ...RULE, top_k: 2 };
    const result = whatIf(tableOf({ ...open, draw: 0.7, rule }), changed({ mask: false }));
    expect(result.changed).toEqual([{ chunk: 0, choice: "OTHER" }]);
    expect(flipsOf(tableOf({ ...open, draw: 0.49, rule }), { mask: false })).toEqual([]);
    expect(
      flipsOf(tableOf({ ...open, draw: null, rule: { ...RULE, greedy: true } }), { mask: false }),
    ).toEqual([]);
  });

  it("without the mask and with more tokens than are listed, the record does not tell", () => {
    expect(whatIf(tableOf({ ...open, draw: 0.1 }), changed({ mask: false })).unknown).toEqual([0]);
  });

  it("the recorded rule gives the recorded decision, whatever the numbers are", () => {
    const logit = fc.integer({ min: -80, max: 80 }).map((quarter) => quarter / 4);
    fc.assert(
      fc.property(
        ...[logit, logit, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })],
        fc.double({ min: 0.05, max: 5, noNaN: true }),
        (logit_keep, logit_text, draw, temperature) => {
          const rule = { ...RULE, temperature };
          const { text, keep } = pairOf(logit_keep, logit_text, rule);
          fc.pre(Math.abs(draw - Math.max(text, keep)) > 1e-9);
          const likelier = text > keep ? "TEXT_BEGIN" : "KEEP_SILENCE";
          const other = text > keep ? "KEEP_SILENCE" : "TEXT_BEGIN";
          const choice = draw < Math.max(text, keep) ? likelier : other;
          const table = tableOf({ logit_keep, logit_text, draw, rule, choice });
          expect(whatIf(table, NO_CHANGE)).toMatchObject({ changed: [], unknown: [], exactToEnd: true });
        },
      ),
    );
  });
});

interface Case {
  name: string;
  change: Partial<WhatIf>;
  decisions: Decision[];
  expected: { choice: (string | null)[]; p_text: (number | null)[]; exact: boolean[] };
}

const { cases } = JSON.parse(
  readFileSync(new URL("../../tests/vectors/what_if.json", import.meta.url), "utf8"),
) as { cases: Case[] };

describe("the vectors that Python and the page share", () => {
  it.each(cases.map((one) => [one.name, one] as const))("%s", (_, { change, decisions, expected }) => {
    const table = new DecisionTable();
    for (const event of decisions) table.set({ ...decision(event.chunk), ...event });
    const result = whatIf(table, changed(change));
    const flipped = decisions.filter((event, i) => {
      const choice = expected.choice[i];
      return choice !== null && choice !== event.choice;
    });
    expect(result.changed.map(({ chunk }) => chunk)).toEqual(flipped.map(({ chunk }) => chunk));
    expect(result.changed.map(({ choice }) => choice)).toEqual(
      expected.choice.filter((choice, i) => choice !== null && choice !== decisions[i]?.choice),
    );
    expect(result.unknown).toEqual(
      decisions.filter((_event, i) => expected.choice[i] === null).map((e) => e.chunk),
    );
    const exact = decisions.filter((_event, i) => expected.exact[i]);
    expect(result.exactUntil).toBe(exact.at(-1)?.chunk ?? null);
    decisions.forEach((event, i) => {
      const { p_text } = decided({ ...event, all: () => event }, ruleOf(event.rule, changed(change)));
      const wanted = expected.p_text[i] ?? null;
      if (wanted === null) expect(p_text).toBeNull();
      else expect(p_text).toBeCloseTo(wanted, 9);
    });
  });
});
