import { describe, expect, it } from "vitest";
import type { SessionEvent } from "../src/events";
import { applyEvent, chunkStart, emptyTalk, type Talk, talkEnd, turnSpan } from "../src/talk";
import { chunk, decision, timing, token, turn } from "./fakes";

function talkOf(...events: SessionEvent[]): Talk {
  const talk = emptyTalk();
  for (const event of events) applyEvent(talk, event);
  return talk;
}

describe("a talk", () => {
  it("holds chunks and decisions by chunk index", () => {
    const talk = talkOf(chunk(0), decision(0), chunk(1));
    expect(talk.count).toBe(3);
    expect(talk.chunks.length).toBe(2);
    expect(talk.peaks[0]).toBe(0.5);
    expect(talk.decided).toBe(1);
    expect(talk.decisions[1]).toBeUndefined();
    expect(talkEnd(talk)).toBeCloseTo(0.8);
  });

  it("speaks from TEXT_BEGIN until the turn ends", () => {
    const talk = talkOf(chunk(0), decision(0, { choice: "TEXT_BEGIN" }));
    expect(talk.speaking).toBe(true);
    applyEvent(talk, token(0, 0, "Hello"));
    applyEvent(talk, token(0, 1, " there"));
    expect(talk.turns[0]).toMatchObject({ turn: 0, text: "Hello there", ended: null });
    applyEvent(talk, turn(0, "Hello there.", { emotion: "happy" }));
    expect(talk.speaking).toBe(false);
    expect(talk.turns).toHaveLength(1);
    expect(talk.turns[0]).toMatchObject({ text: "Hello there.", emotion: "happy", ended: "TEXT_END" });
  });

  it("stays silent after a violation", () => {
    expect(talkOf(decision(0, { choice: "OTHER" })).speaking).toBe(false);
  });

  it("knows the emotion of a running reply from its first token's name", () => {
    const alternatives = [{ token: 100, text: "URGENT", p: 0.8 }];
    expect(talkOf(token(0, 0, "", { alternatives })).turns[0]?.emotion).toBe("urgent");
    // Text that happens to be such a word is text.
    expect(talkOf(token(0, 0, "sad", { alternatives })).turns[0]?.emotion).toBeNull();
  });

  it("takes a turn whose tokens it never saw", () => {
    expect(talkOf(turn(3, "Hi", { chunk: 7 })).turns[0]).toMatchObject({ turn: 3, chunk: 7, text: "Hi" });
  });

  it("counts a change of a turn as a new version", () => {
    const talk = talkOf(token(0, 0, "a"));
    const before = talk.turns[0]?.version ?? 0;
    applyEvent(talk, token(0, 1, "b"));
    expect(talk.turns[0]?.version).toBeGreaterThan(before);
  });

  it("counts events of a newer kernel, so that no gap is seen", () => {
    expect(talkOf({ type: "weather", chunk: 0 } as unknown as SessionEvent).count).toBe(1);
  });

  it("starts a reply where its chunk ends, and takes its length from the timing", () => {
    const talk = talkOf(chunk(2), decision(2, { choice: "TEXT_BEGIN" }), token(0, 0, "Hi", { chunk: 2 }));
    const reply = talk.turns[0];
    if (!reply) throw new Error("no reply");
    expect(turnSpan(talk, reply).start).toBeCloseTo(1.2);
    applyEvent(talk, timing(2, 900));
    expect(turnSpan(talk, reply).seconds).toBeCloseTo(0.9);
  });

  it("knows where a missing chunk would lie", () => {
    expect(chunkStart(talkOf(chunk(3)), 1)).toBeCloseTo(0.4);
  });

  it("takes 9,000 chunks without slowing down", () => {
    const started = performance.now();
    const talk = emptyTalk();
    for (let k = 0; k < 9000; k++) {
      applyEvent(talk, chunk(k));
      applyEvent(talk, decision(k));
    }
    expect(talk.decided).toBe(9000);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
