/** What happens to live audio that arrives during a reply, or faster than it is decided. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Admission, type Arrival, DEFAULT_POLICIES, type Policies } from "../src/engine/admission";

/** A tenth of a second at full level. */
const LOUD = new Float32Array(1600).fill(0.5);
const ACCEPTED = { taken: true, flags: [], interrupts: false, before: [], warning: "" };

function judged(admission: Admission, block: Partial<Arrival>, policies: Partial<Policies> = {}) {
  const arrival = {
    samples: LOUD,
    rate: 16_000,
    microphone: true,
    speaking: false,
    waiting: 0,
    gated: false,
  };
  return admission.judge({ ...arrival, ...block }, { ...DEFAULT_POLICIES, ...policies });
}

describe("audio that arrives during a reply", () => {
  it("is kept and flagged by default", () => {
    expect(judged(new Admission(), {})).toEqual(ACCEPTED);
    expect(judged(new Admission(), { speaking: true })).toEqual({ ...ACCEPTED, flags: ["waited"] });
    expect(judged(new Admission(), { gated: true })).toEqual({ ...ACCEPTED, flags: ["gated"] });
  });

  it("is dropped with `drop`, and the next block begins with a notice of the length", () => {
    const admission = new Admission();
    const drop = { arrival: "drop" } as const;
    expect(judged(admission, { speaking: true }, drop)).toEqual({ ...ACCEPTED, taken: false });
    expect(judged(admission, { speaking: true }, drop).taken).toBe(false);
    const next = judged(admission, {}, drop);
    expect(next).toMatchObject({ taken: true, flags: ["dropped"] });
    expect(next.before).toEqual([
      {
        kind: "dropped",
        message: "0.2 s of audio were dropped: the model was speaking.",
        data: { chunks: 1, seconds: 0.2, why: "speaking" },
      },
    ]);
  });

  it("ends the reply with `interrupt`, if it is loud", () => {
    const interrupt = { arrival: "interrupt" } as const;
    expect(judged(new Admission(), { speaking: true }, interrupt).interrupts).toBe(true);
    const quiet = { speaking: true, samples: new Float32Array(1600).fill(0.001) };
    expect(judged(new Admission(), quiet, interrupt).interrupts).toBe(false);
    expect(judged(new Admission(), {}, interrupt).interrupts).toBe(false);
  });

  it("of a file is always kept", () => {
    const file = { microphone: false, speaking: true };
    expect(judged(new Admission(), file, { arrival: "drop" })).toEqual(ACCEPTED);
  });
});

describe("audio faster than the model", () => {
  it("pauses the intake until half of the limit is left, with a sentence and two notices", () => {
    const admission = new Admission();
    const pause = { overload: "pause", overload_chunks: 10 } as const;
    expect(judged(admission, { waiting: 9 }, pause).taken).toBe(true);
    const first = judged(admission, { waiting: 10 }, pause);
    expect(first).toMatchObject({ taken: false, before: [{ kind: "paused" }] });
    expect(first.warning).toBe("10 chunks are queued; audio is dropped until the model has caught up.");
    expect(judged(admission, { waiting: 6 }, pause)).toMatchObject({ taken: false, warning: "" });
    const next = judged(admission, { waiting: 5 }, pause);
    expect(next.before.map(({ kind }) => kind)).toEqual(["dropped", "resumed"]);
  });

  it("evicts the oldest queued chunks of a microphone, told once", () => {
    const admission = new Admission();
    const oldest: Policies = { ...DEFAULT_POLICIES, overload: "drop_oldest", overload_chunks: 3 };
    expect([3, 4, 9].map((waiting) => admission.evict(true, oldest, waiting))).toEqual([false, true, true]);
    expect(admission.evict(false, oldest, 60)).toBe(false);
    expect(admission.endEviction()?.data).toEqual({ chunks: 2, seconds: 0.8, why: "overload" });
    expect(admission.endEviction()).toBeNull();
  });

  it("is dropped under any policy when ten minutes are queued", () => {
    const admission = new Admission();
    const full = judged(admission, { waiting: 1500, microphone: false });
    expect(full).toMatchObject({
      taken: false,
      warning: "10 minutes of audio are queued; new audio is dropped.",
    });
    expect(judged(admission, { waiting: 1500 }).warning).toBe("");
    expect(judged(admission, {}).before).toMatchObject([{ data: { why: "full" } }]);
  });
});

it("what is refused is what the notices tell, whatever happens", () => {
  const step = fc.record({
    block: fc.record({ microphone: fc.boolean(), speaking: fc.boolean(), waiting: fc.nat(60) }),
    policies: fc.record({
      arrival: fc.constantFrom("keep", "drop", "interrupt"),
      overload: fc.constantFrom("lag", "drop_oldest", "pause"),
      overload_chunks: fc.constant(20),
    }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const admission = new Admission();
      const verdicts = steps.map(({ block, policies }) => judged(admission, block, policies as Policies));
      const told = [...verdicts.flatMap(({ before }) => before), ...admission.end()];
      const gaps = told.flatMap(({ kind, data }) => (kind === "dropped" ? [data.seconds as number] : []));
      const refused = verdicts.filter(({ taken }) => !taken).length * 0.1;
      expect(gaps.reduce((sum, gap) => sum + gap, 0)).toBeCloseTo(refused, 2);
      const kinds = told.flatMap(({ kind }) => (kind === "dropped" ? [] : [kind]));
      expect(kinds).toEqual(kinds.map((_, i) => (i % 2 === 0 ? "paused" : "resumed")));
    }),
  );
});
