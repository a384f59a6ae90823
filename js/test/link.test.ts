import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { KernelLink, type LinkListener, pageName } from "../src/channel/link";
import type { KernelMessage } from "../src/channel/messages";
import { FakeModel } from "./fakes";

function connect() {
  const model = new FakeModel();
  const state = {
    session: null as number | null,
    seen: 0,
    busy: false,
    waiting: 0,
    lost: 0,
    overfull: 0,
    received: [] as KernelMessage[],
  };
  const told: LinkListener = {
    seen: () => state.seen,
    session: () => state.session,
    busy: () => state.busy,
    receive: (message) => state.received.push(message),
    waiting: () => {
      state.waiting += 1;
    },
    lost: () => {
      state.lost += 1;
    },
    overfull: () => {
      state.overfull += 1;
    },
  };
  const link = new KernelLink(model, pageName(), told);
  link.start();
  return { model, link, state };
}

const block = {
  ...({ type: "block", stream: 1, seq: 0, rate: 48_000, format: "float32" } as const),
  ...{ time_s: 0, captured_ms: 0, sent_ms: 0, offset_ms: null, gated: false, page: "p" },
};

describe("the line to the kernel", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("opens with a hello that carries four bytes", () => {
    const { model } = connect();
    expect(model.sent[0]?.content).toEqual({
      ...{ type: "hello", protocol: 3, seen: 0, session: null },
      page: expect.stringMatching(/^[a-z0-9]{6,}$/),
    });
    expect([...new Uint8Array(model.sent[0]?.buffers?.[0] ?? new ArrayBuffer(0))]).toEqual([1, 2, 3, 4]);
  });

  it("repeats the hello, ever more patiently, until a welcome comes", () => {
    const { model, state } = connect();
    vi.advanceTimersByTime(1600);
    expect(model.types()).toEqual(["hello", "hello"]);
    expect(state.waiting).toBe(1);
    vi.advanceTimersByTime(60_000);
    expect(model.of("hello").length).toBeLessThan(12);
    model.welcome();
    const sent = model.sent.length;
    vi.advanceTimersByTime(60_000);
    expect(model.sent).toHaveLength(sent);
  });

  it("keeps messages until it knows how the kernel wants them", () => {
    const { model, link } = connect();
    link.send(block, new Float32Array([1, 2]));
    expect(model.types()).toEqual(["hello"]);
    model.welcome();
    expect(model.types()).toEqual(["hello", "block"]);
    expect([...new Float32Array(model.sent[1]?.buffers?.[0] ?? new ArrayBuffer(0))]).toEqual([1, 2]);
  });

  it("sends base64 where buffers do not arrive", () => {
    const { model, link } = connect();
    model.welcome({ binary: false });
    link.send(block, new Float32Array([1, 2]));
    const { content, buffers } = model.sent.at(-1) ?? {};
    expect(buffers).toBeUndefined();
    const bytes = Uint8Array.from(Buffer.from(String(content?.data), "base64"));
    expect([...new Float32Array(bytes.buffer)]).toEqual([1, 2]);
  });

  it("polls in pull mode while something is under way", () => {
    const { model, state } = connect();
    model.welcome({ pull: true });
    vi.advanceTimersByTime(1000);
    expect(model.of("poll")).toHaveLength(0);
    state.busy = true;
    vi.advanceTimersByTime(1000);
    expect(model.of("poll")).toHaveLength(4);
    state.busy = false;
    vi.advanceTimersByTime(1000);
    expect(model.of("poll")).toHaveLength(4);
  });

  it("asks every two seconds in pull mode what a cell may have begun", () => {
    const { model } = connect();
    model.welcome({ pull: true });
    vi.advanceTimersByTime(4000);
    expect(model.of("poll")).toHaveLength(2);
  });

  it("does not poll a kernel that pushes", () => {
    const { model, state } = connect();
    model.welcome();
    state.busy = true;
    vi.advanceTimersByTime(2000);
    expect(model.of("poll")).toHaveLength(0);
  });

  it("notices that sending throws, once", () => {
    const { model, link, state } = connect();
    model.welcome();
    model.gone = true;
    link.send({ type: "interrupt" });
    link.send({ type: "interrupt" });
    expect(state.lost).toBe(1);
    expect(link.lost).toBe(true);
  });

  it.each(["comm:close", "comm_live_update", "destroy"])("believes %s", (event) => {
    const { model, state } = connect();
    model.emit(event);
    expect(state.lost).toBe(1);
    vi.advanceTimersByTime(60_000);
    expect(model.types()).toEqual(["hello"]);
  });

  it("comes back when the kernel speaks again, and asks what it missed", () => {
    const { model, link, state } = connect();
    model.welcome();
    model.emit("comm_live_update");
    state.seen = 7;
    model.events(9, []);
    expect(link.lost).toBe(false);
    expect(model.sent.at(-1)?.content).toMatchObject({ type: "hello", seen: 7 });
  });

  it("says when too much is waiting for an answer", () => {
    const { link, state } = connect();
    for (let i = 0; i < 4000 && state.overfull === 0; i++) link.send(block, new Float32Array(1));
    expect(state.overfull).toBe(1);
  });

  it("lets go of the model in the end", () => {
    const { model, link } = connect();
    link.end();
    expect(model.listeners()).toBe(0);
    vi.advanceTimersByTime(60_000);
    expect(model.types()).toEqual(["hello"]);
  });
});
