/** Delivery of a page's sessions to the kernel's record: acknowledged, again where it was lost, and never too much. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MAX_ENGINE_EVENTS, MAX_UNDER_WAY } from "../src/channel/messages";
import { MOST_SESSIONS, PROBE_MS, RESEND_MS } from "../src/mirror/mirror";
import { notice } from "./fake-events";
import { type FakeKernel, HeardSession, mirrored } from "./fake-kernel";
import { settle } from "./fakes";

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(console, "warn").mockImplementation(() => {});
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Let time pass, and promises settle; without the real timers of the asynchronous functions of vitest. */
async function pass(ms: number): Promise<void> {
  vi.advanceTimersByTime(ms);
  for (let i = 0; i < 6; i++) await settle();
}

/** Let the page send, and the kernel work, until nothing is left to do. */
async function settled(kernel: FakeKernel): Promise<void> {
  let worked: boolean;
  do {
    await pass(200);
    worked = false;
    while (kernel.work()) {
      worked = true;
      await settle();
    }
  } while (worked);
}

function expectComplete(kernel: FakeKernel, session: HeardSession): void {
  expect(kernel.events).toEqual(session.all);
  expect(kernel.sounds.length).toBe(session.sounds.length);
  // The same arrays: a comparison of all samples would take seconds.
  expect(kernel.sounds.every((sound, at) => sound === session.sounds[at])).toBe(true);
}

describe("a session", () => {
  it("reaches the kernel with its settings, its events in order, and the sound of each chunk", async () => {
    const { kernel, mirror } = mirrored();
    const session = new HeardSession(1, mirror);
    mirror.connected();
    session.hear(3);
    await settled(kernel);
    expect(kernel.begun).toEqual({ session: 1, settings: { greedy: true } });
    expectComplete(kernel, session);
    expect(mirror.delivery.value).toEqual({ state: "delivering", chunks: 3, taken: 3 });
    expect(mirror.busy).toBe(false);
  });

  it("is not begun before it has heard something: a page that only opens takes no record away", async () => {
    const { kernel, mirror } = mirrored();
    new HeardSession(1, mirror);
    mirror.connected();
    mirror.added([notice("settings")]);
    await settled(kernel);
    expect(kernel.begun).toBeNull();
    expect(mirror.delivery.value.state).toBe("idle");
  });

  it("that takes the place of a delivered one is begun at once", async () => {
    const { kernel, mirror } = mirrored();
    const first = new HeardSession(1, mirror);
    mirror.connected();
    first.hear(2);
    await settled(kernel);
    new HeardSession(2, mirror);
    await settled(kernel);
    expect(kernel.begun?.session).toBe(2);
    expect(kernel.events).toEqual([]);
  });

  it("tells phases of step mode, and in the mode run only events", async () => {
    const { kernel, mirror } = mirrored();
    const session = new HeardSession(1, mirror);
    mirror.connected();
    session.hear();
    await settled(kernel);
    mirror.moved();
    await pass(200);
    expect(kernel.inbox).toEqual([]);
    session.gate.set("step");
    mirror.moved();
    await pass(200);
    expect(kernel.inbox.map(({ message }) => message)).toMatchObject([
      { type: "engine_events", mode: "step", first: 2, events: [] },
    ]);
  });
});

describe("a busy kernel", () => {
  it("gets a bounded number of messages, and the rest when it is free", async () => {
    const { kernel, mirror } = mirrored();
    const session = new HeardSession(1, mirror);
    mirror.connected();
    session.hear();
    await settled(kernel);
    for (let i = 0; i < 60; i++) {
      session.hear(10);
      await pass(4000);
    }
    // Four minutes of a cell: besides the messages under way a few questions, ever more rarely.
    expect(kernel.most).toBeLessThanOrEqual(MAX_UNDER_WAY + 6);
    expect(mirror.delivery.value).toMatchObject({ chunks: 601, taken: 1 });
    await settled(kernel);
    expectComplete(kernel, session);
    expect(mirror.delivery.value.taken).toBe(601);
  });

  it("gets no message of more events than the limit, nor of much more than half a megabyte", async () => {
    const { kernel, mirror } = mirrored();
    const session = new HeardSession(1, mirror);
    session.hear(700);
    mirror.added(session.kept.add(notice("stream", "ü".repeat(20_000))));
    for (let i = 0; i < 9; i++) mirror.added(session.kept.add(notice("stream", "ü".repeat(20_000))));
    const sizes: number[] = [];
    mirror.connected();
    const receive = kernel.receive.bind(kernel);
    kernel.receive = (message, payload) => {
      receive(message, payload);
      if (message.type !== "engine_events") return;
      expect(message.events.length).toBeLessThanOrEqual(MAX_ENGINE_EVENTS);
      sizes.push(JSON.stringify(message.events).replaceAll("ü", "\\u00fc").length);
    };
    await settled(kernel);
    expect(Math.max(...sizes)).toBeLessThan(750_000);
    expectComplete(kernel, session);
  });

  it("is not given sound that the page keeps no longer, but told that it is missing", async () => {
    const { kernel, mirror } = mirrored();
    const session = new HeardSession(1, mirror);
    mirror.connected();
    session.hear(5);
    session.sounds[1] = null;
    await settled(kernel);
    expect(kernel.sounds.map((sound) => sound !== null)).toEqual([true, false, true, true, true]);
  });

  it("gets a session that was reset meanwhile first, with the sound that is gone as missing", async () => {
    const { kernel, mirror } = mirrored();
    const first = new HeardSession(1, mirror);
    mirror.connected();
    first.hear(2);
    await settled(kernel);
    first.hear(30);
    first.closed = true;
    const second = new HeardSession(2, mirror);
    second.hear(2);
    await settled(kernel);
    expect(kernel.before).toEqual([first.all]);
    expectComplete(kernel, second);
  });

  it("costs no memory without bound: of many sessions the oldest is discarded, with a sentence", async () => {
    const { kernel, mirror, said } = mirrored();
    mirror.connected();
    for (let number = 1; number <= MOST_SESSIONS + 1; number++) new HeardSession(number, mirror).hear();
    expect(said).toEqual(["discarded"]);
    await settled(kernel);
    expect(kernel.before.length).toBe(MOST_SESSIONS - 1);
  });
});

describe("what is lost", () => {
  it("is sent again when the kernel answers that it lacks something", async () => {
    const { kernel, mirror } = mirrored();
    const session = new HeardSession(1, mirror);
    mirror.connected();
    session.hear();
    await settled(kernel);
    kernel.lost.add(3);
    session.hear(4);
    // The first message after begin, events and sound is lost; those that follow it are answered.
    await settled(kernel);
    expectComplete(kernel, session);
  });

  it("is asked for where no answer comes", async () => {
    const { kernel, mirror } = mirrored();
    const session = new HeardSession(1, mirror);
    mirror.connected();
    session.hear();
    await settled(kernel);
    for (let i = 3; i < 20; i++) kernel.lost.add(i);
    session.hear(2);
    await settled(kernel);
    expect(kernel.chunks).toBe(1);
    kernel.lost.clear();
    await pass(PROBE_MS);
    await settled(kernel);
    expectComplete(kernel, session);
  });

  it("is whatever was under way when the connection broke", async () => {
    const { kernel, mirror } = mirrored();
    const session = new HeardSession(1, mirror);
    mirror.connected();
    session.hear(4);
    await settled(kernel);
    mirror.disconnected();
    session.hear(3);
    await pass(60_000);
    expect(kernel.inbox).toEqual([]);
    expect(mirror.delivery.value).toEqual({ state: "unconnected", chunks: 7, taken: 4 });
    mirror.connected();
    await settled(kernel);
    expectComplete(kernel, session);
  });

  it("is the whole session where the kernel has begun anew", async () => {
    const { kernel, mirror } = mirrored();
    const session = new HeardSession(1, mirror);
    mirror.connected();
    session.hear(4);
    await settled(kernel);
    kernel.restart();
    session.hear();
    await settled(kernel);
    await pass(RESEND_MS);
    await settled(kernel);
    expectComplete(kernel, session);
  });

  it("never leaves a hole, and nothing is taken twice", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(60), { maxLength: 12 }),
        fc.array(fc.nat(60), { maxLength: 12 }),
        fc.array(fc.record({ heard: fc.nat(12), worked: fc.nat(20) }), { minLength: 1, maxLength: 12 }),
        async (lost, deaf, steps) => {
          const { kernel, mirror } = mirrored();
          kernel.lost = new Set(lost);
          kernel.deaf = new Set(deaf);
          const session = new HeardSession(1, mirror);
          mirror.connected();
          for (const { heard, worked } of steps) {
            session.hear(heard);
            await pass(200);
            for (let i = 0; i < worked; i++) kernel.work();
          }
          session.hear();
          for (let round = 0; round < 40 && mirror.busy; round++) {
            await settled(kernel);
            await pass(PROBE_MS * 4);
          }
          expectComplete(kernel, session);
          expect(mirror.busy).toBe(false);
          mirror.end();
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("a kernel that takes no more", () => {
  it("says why, once, and the page sends no more of this session", async () => {
    const { kernel, mirror, said } = mirrored();
    const session = new HeardSession(1, mirror);
    mirror.connected();
    session.hear();
    await settled(kernel);
    Object.assign(kernel, { problem: "Event 2 cannot be recorded.", refused: true });
    session.hear();
    await settled(kernel);
    session.hear(5);
    await settled(kernel);
    expect(said).toEqual(["Event 2 cannot be recorded."]);
    expect(mirror.delivery.value).toEqual({ state: "refused", chunks: 7, taken: 1 });
    Object.assign(kernel, { problem: "", refused: false });
    const next = new HeardSession(2, mirror);
    next.hear(2);
    await settled(kernel);
    expectComplete(kernel, next);
  });

  it("of the same message again and again is not asked for ever", async () => {
    const { kernel, mirror, said } = mirrored();
    const session = new HeardSession(1, mirror);
    mirror.connected();
    kernel.problem = "The model is not loaded.";
    session.hear(3);
    for (let i = 0; i < 30; i++) {
      await settled(kernel);
      await pass(RESEND_MS);
    }
    expect(said).toEqual(["The model is not loaded."]);
  });

  it("records another page: nothing more is sent until this page begins a new session", async () => {
    const { kernel, mirror } = mirrored();
    const session = new HeardSession(1, mirror);
    mirror.connected();
    session.hear();
    await settled(kernel);
    mirror.takenOver();
    session.hear(3);
    await settled(kernel);
    expect(kernel.chunks).toBe(1);
    expect(mirror.delivery.value.state).toBe("elsewhere");
    const next = new HeardSession(2, mirror);
    await settled(kernel);
    expect(kernel.begun?.session).toBe(1);
    next.hear();
    await settled(kernel);
    expectComplete(kernel, next);
    expect(mirror.elsewhere).toBe(false);
  });

  it("is given nothing of another page's sessions by a strange answer", () => {
    const { kernel, mirror } = mirrored();
    const session = new HeardSession(1, mirror);
    mirror.connected();
    session.hear();
    const answer = {
      type: "engine_taken",

      begun: true,
      events: 9,
      chunks: 9,
      problem: "",
    } as const;
    mirror.taken({ ...answer, page: "q", session: 1, refused: false });
    mirror.taken({ ...answer, page: "p", session: 7, refused: false });
    expect(mirror.delivery.value.taken).toBe(0);
    expect(kernel.inbox).toEqual([]);
  });
});
