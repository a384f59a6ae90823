import { describe, expect, it } from "vitest";
import { CHOICE_CODES, threshold } from "../src/record/decision-table";
import type { SessionEvent } from "../src/record/events";
import {
  applyEvent,
  chunkStart,
  emptyRecord,
  recordEnd,
  type SessionRecord,
  turnOf,
  turnSpan,
} from "../src/record/record";
import { chunk, decision, timing, token, turn } from "./fakes";

function recordOf(...events: SessionEvent[]): SessionRecord {
  const record = emptyRecord();
  for (const event of events) applyEvent(record, event);
  return record;
}

describe("a record", () => {
  it("holds chunks and decisions by chunk index", () => {
    const record = recordOf(chunk(0), decision(0), chunk(1));
    expect(record.count).toBe(3);
    expect(record.chunks.length).toBe(2);
    expect(record.chunks.loudest.cell(0, 0)).toBe(0.5);
    expect(record.decided).toBe(1);
    expect(record.decisions.get(1)).toBeUndefined();
    expect(recordEnd(record)).toBeCloseTo(0.8);
  });

  it("speaks from TEXT_BEGIN until the turn ends", () => {
    const record = recordOf(chunk(0), decision(0, { choice: "TEXT_BEGIN" }));
    expect(record.speaking).toBe(true);
    applyEvent(record, token(0, 0, "Hello"));
    applyEvent(record, token(0, 1, " there"));
    expect(record.turns[0]).toMatchObject({ turn: 0, text: "Hello there", ended: null });
    applyEvent(record, turn(0, "Hello there.", { emotion: "happy" }));
    expect(record.speaking).toBe(false);
    expect(record.turns).toHaveLength(1);
    expect(record.turns[0]).toMatchObject({ text: "Hello there.", emotion: "happy", ended: "TEXT_END" });
  });

  it("stays silent after a violation", () => {
    expect(recordOf(decision(0, { choice: "OTHER" })).speaking).toBe(false);
  });

  it("knows the emotion of a running reply by the checkpoint's table, and by no word", () => {
    const emotionIn = (tokens: Record<string, number>, ...events: SessionEvent[]) => {
      const record = emptyRecord();
      for (const event of events) applyEvent(record, event, { tokens });
      return record.turns[0]?.emotion;
    };
    const alternatives = [{ token: 100, text: "SAD", p: 0.8, scaled: 0.9, kept: 1 }];
    expect(emotionIn({ URGENT: 100 }, token(0, 0, "", { alternatives }))).toBe("urgent");
    expect(emotionIn({ URGENT: 7 }, token(0, 0, "", { alternatives }))).toBeNull();
    expect(emotionIn({ URGENT: 101 }, token(0, 0, "a"), token(0, 1, ""))).toBeNull();
  });

  it("takes a turn whose tokens it never saw", () => {
    expect(recordOf(turn(3, "Hi", { chunk: 7 })).turns[0]).toMatchObject({ turn: 3, chunk: 7, text: "Hi" });
  });

  it("counts a change of a turn as a new version", () => {
    const record = recordOf(token(0, 0, "a"));
    const before = record.turns[0]?.version ?? 0;
    applyEvent(record, token(0, 1, "b"));
    expect(record.turns[0]?.version).toBeGreaterThan(before);
  });

  it("counts events of a newer kernel, so that no gap is seen", () => {
    expect(recordOf({ type: "weather", chunk: 0 } as unknown as SessionEvent).count).toBe(1);
  });

  it("starts a reply where its chunk ends, and takes its length from the timing", () => {
    const record = recordOf(chunk(2), decision(2, { choice: "TEXT_BEGIN" }), token(0, 0, "Hi", { chunk: 2 }));
    const reply = record.turns[0];
    if (!reply) throw new Error("no reply");
    expect(turnSpan(record, reply).start).toBeCloseTo(1.2);
    applyEvent(record, timing(2, 900));
    expect(turnSpan(record, reply).seconds).toBeCloseTo(0.9);
  });

  it("knows where a missing chunk would lie", () => {
    expect(chunkStart(recordOf(chunk(3)), 1)).toBeCloseTo(0.4);
  });

  it("gives events back as they came, to the last digit", () => {
    const mel = btoa(String.fromCharCode(...Array.from({ length: 320 }, (_, i) => i % 256)));
    const heard = chunk(4, {
      clip: 2,
      start_s: 1.7,
      rms_db: -31.234567890123,
      envelope: Array.from({ length: 16 }, (_, i) => Math.round(1000 * Math.abs(Math.sin(i))) / 10_000),
      flags: ["clipped", "of_tomorrow"],
      mel,
    });
    const decided = decision(4, {
      choice: "TEXT_BEGIN",
      p_text: 0.1 + 0.2,
      draw: null,
      before: [7, 8, 9],
      rule: { bias: -0.5, mask: true, seed: 3 },
      alternatives: [
        { token: 5, text: "TEXT_BEGIN", p: 1 / 3, scaled: 2 / 3, kept: 1 },
        { token: 6, text: "…", p: 1 / 7, scaled: 0, kept: 0 },
      ],
    });
    const timed = timing(4, 812.5, { arrived_ms: 1_790_000_000_123.25, seq: 9 });
    const record = recordOf(heard, decided, timed, decision(5, { draw: 0.25 }));
    expect(record.chunks.get(4)).toEqual(heard);
    expect(record.decisions.get(4)).toEqual(decided);
    expect(record.decisions.get(5)?.draw).toBe(0.25);
    expect(record.timings.get(4)).toEqual(timed);
    for (const table of [record.chunks, record.decisions, record.timings]) {
      for (const k of [-1, 0, 3, 6, 1e6]) expect(table.get(k)).toBeUndefined();
    }
  });

  it("takes a log-mel that is none for a missing one", () => {
    const record = recordOf(chunk(0, { mel: btoa("short") }));
    expect(record.chunks.get(0)?.mel).toBe("");
    expect(record.chunks.mel.frames(0)).toBeNull();
  });

  it("adds up the latency of kernel and browser", () => {
    const record = recordOf(timing(3, 0, { queue_ms: 10, features_ms: 1, tower_ms: 20, decide_ms: 30 }));
    expect(record.latency.part(3, "total")).toBe(61);
    expect(record.latency.part(3, "uplink")).toBeNaN();
    record.latency.takeWay(3, { capture: 5, uplink: 4, downlink: 3, paint: null });
    expect(record.latency.part(3, "total")).toBe(73);
    expect(record.latency.part(3, "uplink")).toBe(4);
    expect(record.latency.part(2, "total")).toBeNaN();
  });

  it("knows which reply began with a chunk", () => {
    const record = recordOf(turn(0, "a", { chunk: 3 }), turn(1, "b", { chunk: 9 }));
    expect(turnOf(record, 9)?.text).toBe("b");
    expect(turnOf(record, 3)?.text).toBe("a");
    expect(turnOf(record, 4)).toBeUndefined();
  });

  it("counts what changed, chunk by chunk", () => {
    const record = recordOf(chunk(0), chunk(1), chunk(2));
    const before = record.revisions.range(0, 3);
    applyEvent(record, decision(1));
    expect(record.revisions.range(0, 3)).toBeGreaterThan(before);
    expect(record.revisions.range(2, 3)).toBe(before);
  });

  it("takes 9,000 chunks without slowing down, in the same room for each", () => {
    const started = performance.now();
    const record = emptyRecord();
    const mel = btoa("m".repeat(320));
    const alternatives = Array.from({ length: 5 }, (_, i) => ({
      token: i,
      text: `w${i}`,
      p: 0.2,
      scaled: 0,
      kept: 0,
    }));
    const each: number[] = [];
    for (let k = 0; k < 18_000; k++) {
      applyEvent(record, chunk(k, { mel }));
      applyEvent(record, decision(k, { alternatives }));
      applyEvent(record, timing(k, 0));
      if (k === 8_999) expect(performance.now() - started).toBeLessThan(2000);
      if (k === 8_999 || k === 17_999) each.push(record.bytes / (k + 1));
    }
    expect(record.decided).toBe(18_000);
    // Half a megabyte a minute would be 3,400; the columns grow by half, the summaries by doubling.
    for (const bytes of each) expect(bytes).toBeLessThan(2_000);
    expect((each[1] as number) / (each[0] as number)).toBeLessThan(1.5);
  });
});

describe("the threshold of speaking", () => {
  it("is where both decisions are equally likely after the bias", () => {
    for (const bias of [-2, 0, 0.7, 5]) {
      for (const p_other of [0, 0.02, 0.5]) {
        const p_text = threshold(p_other, bias);
        const p_keep = 1 - p_other - p_text;
        expect(Math.log(p_text) + bias).toBeCloseTo(Math.log(p_keep), 10);
      }
    }
  });

  it("knows each choice by a number, the more telling the higher", () => {
    expect(CHOICE_CODES).toEqual({ KEEP_SILENCE: 1, TEXT_BEGIN: 2, OTHER: 3 });
  });
});
