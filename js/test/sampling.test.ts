import { describe, expect, it } from "vitest";
import { decisionSampling, tokenSampling } from "../src/panels/sampling-steps";
import type { Alternative } from "../src/record/events";
import { decision, token } from "./fakes";

const vocabulary = { tokens: { TEXT_BEGIN: 1, KEEP_SILENCE: 2 }, prefix: [], limit: 0, block: [] };
const rule = { greedy: false, temperature: 0.3, top_k: 3, top_p: 1, bias: 0, mask: true, seed: 0 };
const alternative = (id: number, text: string, p: number, scaled = p, kept = scaled): Alternative => ({
  token: id,
  text,
  p,
  scaled,
  kept,
});

describe("a decision's sampling", () => {
  const step = decision(0, {
    p_text: 0.742,
    p_keep: 0.256,
    p_other: 0.002,
    logit_text: 8.5,
    logit_keep: 7.4,
    token: 1,
    argmax: 1,
    draw: 0.412,
    rule,
    alternatives: [
      alternative(1, "TEXT_BEGIN", 0.742, 0.969),
      alternative(2, "KEEP_SILENCE", 0.256, 0.031),
      alternative(9, "the", 0.001, 0, 0),
    ],
  });

  it("shows both decision tokens first, with their logits, then what else was likely", () => {
    const { rows, rest, known } = decisionSampling(step, vocabulary);
    expect(rows.map(({ text, p, scaled, kept, logit }) => [text, p, scaled, kept, logit])).toEqual([
      ["TEXT_BEGIN", 0.742, 0.969, 0.969, 8.5],
      ["KEEP_SILENCE", 0.256, 0.031, 0.031, 7.4],
      ["the", 0.001, 0, 0, null],
    ]);
    expect(rows.map(({ drawn, argmax }) => [drawn, argmax])).toEqual([
      [true, true],
      [false, false],
      [false, false],
    ]);
    expect([rest, known]).toEqual([{ p: 0.002, recorded: true }, true]);
  });

  it("puts the draw into the drawn token's share", () => {
    const { segments, draw } = decisionSampling(step, vocabulary);
    expect(segments).toMatchObject([
      { text: "TEXT_BEGIN", from: 0, to: 0.969, drawn: true },
      { text: "KEEP_SILENCE", from: 0.969, to: 1, drawn: false },
    ]);
    const hit = segments.find(({ from, to }) => draw !== null && from <= draw && draw < to);
    expect(hit?.drawn).toBe(true);
  });

  it("invents nothing for events of an older version", () => {
    const old = decision(0, { token: 2, alternatives: [], rule: {} });
    const { rows, segments, known } = decisionSampling(old, { ...vocabulary, tokens: {} });
    expect(known).toBe(false);
    expect(rows.map(({ p, scaled, kept }) => [p, scaled, kept])).toEqual([
      [0.08, null, null],
      [0.9, null, null],
    ]);
    expect(rows.map(({ drawn }) => drawn)).toEqual([false, true]);
    expect(segments).toEqual([]);
  });
});

describe("a reply token's sampling", () => {
  it("leaves the tokens that top-k removed without a share of the line", () => {
    const step = token(0, 1, " seven", {
      token: 5,
      argmax: 6,
      draw: 0.9,
      alternatives: [
        alternative(6, " six", 0.5, 0.6, 0.75),
        alternative(5, " seven", 0.3, 0.2, 0.25),
        alternative(7, " ten", 0.1, 0.1, 0),
      ],
    });
    const { rows, segments, rest } = tokenSampling(step, rule);
    expect(rows.map(({ text }) => text)).toEqual([" six", " seven", " ten"]);
    expect(segments).toMatchObject([
      { text: " six", from: 0, to: 0.75 },
      { text: " seven", from: 0.75, to: 1, drawn: true },
    ]);
    expect(rest.recorded).toBe(false);
    expect(rest.p).toBeCloseTo(0.1);
  });

  it("leaves the end of the line to the rest where all tokens are kept", () => {
    const rows = [alternative(6, " six", 0.5), alternative(5, " seven", 0.3)];
    const kept = tokenSampling(token(0, 1, " six", { token: 6, draw: 0.2, alternatives: rows }), rule);
    expect(kept.segments).toMatchObject([
      { drawn: true },
      {},
      { text: "the rest", from: 0.8, to: 1, drawn: false },
    ]);
  });

  it("finds a token from far down in the rest, where it lies", () => {
    const rows = [alternative(6, " six", 0.5), alternative(9, " odd", 0.01)];
    const { segments } = tokenSampling(
      token(0, 1, " odd", { token: 9, draw: 0.93, alternatives: rows }),
      rule,
    );
    expect(segments).toMatchObject([{ text: " six" }, { text: "the rest", from: 0.5, to: 1, drawn: true }]);
  });

  it("is one share when greedy, and has no draw", () => {
    const rows = [alternative(6, " six", 0.5, 0.5, 1), alternative(5, " seven", 0.3, 0.3, 0)];
    const greedy = tokenSampling(token(0, 1, " six", { token: 6, alternatives: rows }), {
      ...rule,
      greedy: true,
    });
    expect([greedy.draw, greedy.segments.length]).toEqual([null, 1]);
  });
});
