/** A page reads what Python wrote: the events of `tests/vectors/packed_events.json` at every level of detail. */
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Decision, SessionEvent, Token } from "../src/record/events";
import { eventsOf, listOf, unpack } from "../src/record/packed";

const VECTORS = JSON.parse(
  readFileSync(new URL("../../tests/vectors/packed_events.json", import.meta.url), "utf8"),
) as { events: SessionEvent[]; levels: string[] };

const bytesOf = (level: string) => new Uint8Array(Buffer.from(level, "base64"));
const read = (level: number) => {
  const { events, mels } = eventsOf(bytesOf(VECTORS.levels[level] as string));
  const melOf = (bytes?: Uint8Array) => (bytes ? Buffer.from(bytes).toString("base64") : "");
  return events.map((event) =>
    event.type === "chunk" ? { ...event, mel: melOf(mels.get(event.chunk)) } : event,
  );
};

function ofType<T extends SessionEvent>(events: readonly SessionEvent[], type: T["type"]): T[] {
  return events.filter((event) => event.type === type) as T[];
}

describe("packed events", () => {
  it("at full detail are the events, every number of them", () => {
    const found = read(0);
    for (const type of ["chunk", "decision", "token", "turn", "notice", "timing"] as const) {
      const wanted = ofType(VECTORS.events, type);
      expect(wanted.length).toBeGreaterThan(0);
      expect(JSON.parse(JSON.stringify(ofType(found, type)))).toEqual(wanted);
    }
  });

  it("at every level keep chunks, choices, words and exact logits", () => {
    VECTORS.levels.forEach((_, level) => {
      const found = read(level);
      expect(found.length).toBe(VECTORS.events.length);
      const [decisions, wanted] = [found, VECTORS.events].map((events) =>
        ofType<Decision>(events, "decision"),
      );
      decisions?.forEach((decision, i) => {
        const exact = wanted?.[i] as Decision;
        expect([decision.chunk, decision.choice, decision.rule]).toEqual([
          exact.chunk,
          exact.choice,
          exact.rule,
        ]);
        expect(decision.logit_text).toBe(exact.logit_text);
        expect(decision.p_text).toBeCloseTo(exact.p_text, 2);
        expect(decision.draw).toBeCloseTo(exact.draw as number, 8);
      });
      const words = (events: SessionEvent[]) => ofType<Token>(events, "token").map(({ text }) => text);
      expect(words(found)).toEqual(words(VECTORS.events));
    });
  });

  it("are read from gzip", async () => {
    const packed = gzipSync(bytesOf(VECTORS.levels[0] as string));
    expect(await unpack(new Uint8Array(packed))).toEqual(eventsOf(bytesOf(VECTORS.levels[0] as string)));
  });

  it("of a newer version are refused with a sentence", () => {
    const text = new TextEncoder().encode(JSON.stringify({ version: 99, tables: {}, blobs: {} }));
    const bytes = new Uint8Array(4 + text.length);
    new DataView(bytes.buffer).setUint32(0, text.length, true);
    bytes.set(text, 4);
    expect(() => eventsOf(bytes)).toThrow("newer version");
  });
});

it("columns are lists, one value, steps, or recurring values", () => {
  expect(listOf([1, 2], 2)).toEqual([1, 2]);
  expect(listOf({ all: "x" }, 3)).toEqual(["x", "x", "x"]);
  expect(listOf({ steps: [5, 1, -2] }, 3)).toEqual([5, 6, 4]);
  expect(listOf({ single: [0.1] }, 1)).toEqual([Math.fround(0.1)]);
  expect(listOf({ values: ["a", "b"], at: { steps: [1, -1, 0] } }, 3)).toEqual(["b", "a", "a"]);
});
