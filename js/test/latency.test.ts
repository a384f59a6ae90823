import { describe, expect, it } from "vitest";
import { ClockOffset, LatencyProbe } from "../src/record/latency-probe";
import { overheadSummary } from "../src/record/overhead";
import { applyEvent, emptyRecord } from "../src/record/record";
import { decision, timing } from "./fakes";

describe("the kernel's clock", () => {
  it("is not thought to differ because a busy kernel read the hello late", () => {
    const clock = new ClockOffset();
    clock.sent(1_000, 1_800);
    clock.received(1_800, 1_802);
    expect(clock.ms).toBe(48);
  });

  it("is unknown until it is bounded from both sides", () => {
    const clock = new ClockOffset();
    expect(clock.ms).toBeNull();
    clock.received(5_000, 1_010);
    expect(clock.ms).toBeNull();
    clock.sent(1_000, 5_000);
    // Between 3,990 (nothing arrives before it was sent) and 4,000.
    expect(clock.ms).toBe(3_995);
  });

  it("is known the better the faster a message was, either way", () => {
    const clock = new ClockOffset();
    clock.sent(1_000, 5_080);
    clock.received(5_100, 1_160);
    clock.sent(1_200, 5_202);
    clock.received(5_300, 1_301);
    expect(clock.ms).toBeCloseTo(4_000.5, 1);
  });

  it("follows a clock that drifts", () => {
    const clock = new ClockOffset();
    const hour = 3_600_000;
    for (let t = 1; t <= hour; t += 1_000) {
      // 30 ms an hour, and 2 ms each way.
      const offset = (30 * t) / hour;
      clock.sent(t, t + 2 + offset);
      clock.received(t + offset, t + 2);
    }
    expect(clock.ms).toBeGreaterThan(25);
    expect(clock.ms).toBeLessThan(35);
  });

  it("takes no time of a kernel that sends none", () => {
    const clock = new ClockOffset();
    clock.received(0, 1_000);
    clock.sent(1_000, Number.NaN);
    expect(clock.ms).toBeNull();
  });
});

describe("a chunk's way", () => {
  /** The kernel's clock is 4,000 ms ahead, known to the millisecond. */
  function probe() {
    const record = emptyRecord();
    const measured = new LatencyProbe(() => record);
    measured.clock.sent(100, 4_100);
    measured.clock.received(4_100, 100);
    const took = timing(0, 0, { stream: 1, seq: 7, arrived_ms: 5_006, decided_ms: 5_014, queue_ms: 2 });
    return { record, measured, took };
  }

  it("is measured from the microphone to the screen", () => {
    const { record, measured, took } = probe();
    measured.blockSent(1, { seq: 7, captured_ms: 1_000, sent_ms: 1_003 });
    measured.take(decision(0), 1_017, false);
    applyEvent(record, took);
    measured.take(took, 1_017, false);
    expect(measured.painted(1_025)).toBe(true);
    const parts = (["capture", "uplink", "downlink", "paint"] as const).map((part) =>
      record.latency.part(0, part),
    );
    expect(parts.map((ms) => Math.round(ms))).toEqual([3, 3, 3, 8]);
    expect(Math.round(record.latency.part(0, "total"))).toBe(3 + 3 + 2 + 1 + 2 + 3 + 3 + 8);
    expect(measured.painted(1_040)).toBe(false);
  });

  it("ends when both its timing and its picture are there, in either order", () => {
    const { record, measured, took } = probe();
    measured.blockSent(1, { seq: 7, captured_ms: 1_000, sent_ms: 1_003 });
    measured.take(decision(0), 1_017, false);
    measured.painted(1_025);
    expect(record.latency.part(0, "paint")).toBeNaN();
    applyEvent(record, took);
    measured.take(took, 1_090, false);
    expect(record.latency.part(0, "paint")).toBe(8);
  });

  it("has no picture on a hidden page, and no capture where Python fed it", () => {
    const { record, measured } = probe();
    const took = timing(0, 0, { arrived_ms: 5_006, decided_ms: 5_014 });
    measured.take(decision(0), 1_017, true);
    applyEvent(record, took);
    measured.take(took, 1_018, true);
    expect(record.latency.part(0, "paint")).toBeNaN();
    expect(record.latency.part(0, "capture")).toBeNaN();
    expect(record.latency.part(0, "uplink")).toBeNaN();
    expect(Math.round(record.latency.part(0, "downlink"))).toBe(3);
  });

  it("is summed up without the model's own time, of chunks that are known to their end", () => {
    const record = emptyRecord();
    const measured = new LatencyProbe(() => record);
    measured.clock.sent(1, 1);
    measured.clock.received(1, 1);
    expect(overheadSummary(record.latency)).toBeNull();
    for (let k = 0; k < 100; k++) {
      const at = 1_000 + k * 400;
      const took = timing(k, 0, { stream: 1, seq: k, arrived_ms: at + 2, decided_ms: at + 8 });
      measured.blockSent(1, { seq: k, captured_ms: at, sent_ms: at + 1 });
      measured.take(decision(k), at + 9, k === 50);
      applyEvent(record, took);
      measured.take(took, at + 9, k === 50);
      measured.painted(at + 9 + (k % 20));
    }
    const figures = overheadSummary(record.latency);
    expect(figures?.count).toBe(99);
    // Capture, uplink and downlink take 1 ms each, painting 0 to 19; features, tower and decision are not counted.
    expect(figures?.p50).toBeCloseTo(3 + 9, 0);
    expect(figures?.p95).toBeCloseTo(3 + 19, 0);
    expect(figures?.worst).toBeCloseTo(3 + 19, 0);
  });

  it("discards blocks that no timing refers to", () => {
    const { record, measured, took } = probe();
    measured.blockSent(1, { seq: 7, captured_ms: 1_000, sent_ms: 1_003 });
    for (let seq = 8; seq < 4_000; seq++) measured.blockSent(1, { seq, captured_ms: 1_000, sent_ms: 1_003 });
    measured.take(decision(0), 1_017, false);
    applyEvent(record, took);
    measured.take(took, 1_017, false);
    measured.painted(1_020);
    expect(record.latency.part(0, "capture")).toBeNaN();
  });
});

describe("the network to a class server", () => {
  it("is a part of a chunk's latency beside the server's own", () => {
    const record = emptyRecord();
    applyEvent(record, decision(0));
    applyEvent(
      record,
      timing(0, 0, { queue_ms: 2, features_ms: 1, tower_ms: 2, decide_ms: 3, network_ms: 30 }),
    );
    expect(record.latency.part(0, "network")).toBe(30);
    expect(record.latency.part(0, "total")).toBe(38);
  });
});
