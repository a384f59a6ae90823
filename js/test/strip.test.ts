import { describe, expect, it } from "vitest";
import { type Cell, stripOf, textOf } from "../src/panels/strip-cells";
import { applyEvent, emptyRecord, turnOf } from "../src/record/record";
import { decision, token, turn } from "./fakes";

const vocabulary = {
  tokens: {
    TEXT_BEGIN: 1,
    KEEP_SILENCE: 2,
    TEXT_END: 3,
    AUDIO_BEGIN: 4,
    PAD: 5,
    ASSISTANT: 6,
    ONLINE: 7,
    URGENT: 20,
  },
  prefix: [
    [7, "ONLINE"],
    [1, "SYSTEM"],
    [1, "TEXT_BEGIN"],
    [50, "You"],
    [51, " help"],
    [3, "TEXT_END"],
  ] as [number, string][],
  limit: 2048,
  block: [
    { name: "AUDIO_BEGIN", token: 4, count: 1 },
    { name: "FRAMES", token: 5, count: 10 },
    { name: "ASSISTANT", token: 6, count: 1 },
  ],
};

const written = (cells: Cell[]) =>
  cells.map(({ text, position, count }) => `${text}${count > 1 ? `×${count}` : ""}@${position}`);

describe("the protocol strip", () => {
  it("begins a bare context with the whole prefix, at position 0", () => {
    const step = decision(0, { before: [7, 1, 1, 50, 51, 3], position: 17 });
    const strip = stripOf(step, undefined, vocabulary);
    expect(written(strip.fed)).toEqual([
      "ONLINE@0",
      "SYSTEM@1",
      "TEXT_BEGIN@2",
      "You help×2@3",
      "TEXT_END@5",
      "AUDIO_BEGIN@6",
      "PAD×10@7",
      "ASSISTANT@17",
    ]);
    expect([strip.first, strip.last]).toEqual([0, 17]);
    expect(written(strip.produced)).toEqual(["KEEP_SILENCE@18"]);
  });

  it("feeds the token drawn last before every later block: 13 positions", () => {
    const strip = stripOf(decision(3, { before: [2], position: 56 }), undefined, vocabulary);
    expect(written(strip.fed)).toEqual(["KEEP_SILENCE@44", "AUDIO_BEGIN@45", "PAD×10@46", "ASSISTANT@56"]);
  });

  it("has the block of the checkpoint, whatever its names and its number of frames", () => {
    const block = [
      { name: "USER", token: 30, count: 1 },
      { name: "AUDIO_BEGIN", token: 4, count: 1 },
      { name: "FRAMES", token: 31, count: 4 },
      { name: "AUDIO_END", token: 32, count: 1 },
      { name: "ASSISTANT", token: 6, count: 1 },
    ];
    const strip = stripOf(decision(3, { before: [2], position: 56 }), undefined, { ...vocabulary, block });
    expect(written(strip.fed)).toEqual([
      ...["KEEP_SILENCE@48", "USER@49", "AUDIO_BEGIN@50", "#31×4@51", "AUDIO_END@55", "ASSISTANT@56"],
    ]);
    expect(strip.fed.at(-1)?.remark).toBe("the decision is read here");
  });

  it("shows no block that it does not know", () => {
    const strip = stripOf(decision(3, { before: [2], position: 56 }), undefined, {
      ...vocabulary,
      block: [],
    });
    expect(written(strip.fed)).toEqual(["KEEP_SILENCE@56"]);
  });

  it("knows nothing before the block where the event does not say", () => {
    const strip = stripOf(decision(3, { before: [], position: 56 }), undefined, vocabulary);
    expect(written(strip.fed)).toEqual(["AUDIO_BEGIN@45", "PAD×10@46", "ASSISTANT@56"]);
  });

  it("feeds the last token of a cut reply and the TEXT_END that closes it, each as a token", () => {
    const strip = stripOf(decision(3, { before: [70, 3], position: 57 }), undefined, vocabulary);
    expect(written(strip.fed).slice(0, 3)).toEqual(["#70@44", "TEXT_END@45", "AUDIO_BEGIN@46"]);
    expect(strip.fed.slice(0, 2).map(({ kind }) => kind)).toEqual(["special", "special"]);
  });

  const reply = (ended: "TEXT_END" | "interrupted" | "error") => {
    const record = emptyRecord();
    const step = decision(4, { token: 1, choice: "TEXT_BEGIN", position: 56 });
    const alternatives = [{ token: 20, text: "URGENT", p: 0.9, scaled: 0.9, kept: 0.9 }];
    for (const event of [
      step,
      token(0, 0, "", { chunk: 4, token: 20, position: 57, alternatives }),
      token(0, 1, "Fire", { chunk: 4, token: 70, position: 58 }),
      turn(0, "Fire", { chunk: 4, emotion: "urgent", ended }),
    ]) {
      applyEvent(record, event);
    }
    return stripOf(step, turnOf(record, 4), vocabulary).produced;
  };

  it("goes on with the reply, each token where it is fed", () => {
    const produced = reply("TEXT_END");
    expect(written(produced)).toEqual(["TEXT_BEGIN@57", "URGENT@58", "Fire@59", "TEXT_END@60"]);
    expect(produced.map(({ kind }) => kind)).toEqual(["decision", "emotion", "text", "special"]);
    expect(produced.map(({ index }) => index)).toEqual([null, 0, 1, null]);
  });

  it.each(["interrupted", "error"] as const)(
    "closes a reply that was cut (%s) with a TEXT_END that was not drawn",
    (ended) => {
      const produced = reply(ended);
      expect(written(produced).slice(-2)).toEqual(["Fire@59", "TEXT_END@60"]);
      expect(produced.at(-1)?.remark).toContain("not drawn");
    },
  );

  it("calls a violation by its text, or its number", () => {
    const alternatives = [{ token: 77, text: " hm", p: 0.9, scaled: 0.9, kept: 0.9 }];
    const step = decision(0, { token: 77, choice: "OTHER", alternatives });
    expect(stripOf(step, undefined, vocabulary).produced[0]?.text).toBe(" hm");
    expect(textOf({ ...step, alternatives: [] }, vocabulary)).toBe("#77");
  });
});
