import { describe, expect, it } from "vitest";
import { BLOCKS_IN_FLIGHT, FilePlayer, type Pace, type PlayerClock } from "../src/capture/file-player";
import { OutgoingStream } from "../src/capture/outgoing";
import type { BrowserMessage } from "../src/messages";

class FakeClock implements PlayerClock {
  time = 1000;
  due: { at: number; callback: () => void } | null = null;
  now = () => this.time;
  later = (callback: () => void, ms: number) => {
    this.due = { at: this.time + ms, callback };
    return this.due;
  };
  cancel = (timer: unknown) => {
    if (timer === this.due) this.due = null;
  };

  /** Passes time; `late` delays every timer, as hidden tabs do. */
  pass(ms: number, late = 0): void {
    const until = this.time + ms;
    while (this.due && this.due.at + late <= until) {
      const { at, callback } = this.due;
      this.due = null;
      this.time = Math.max(this.time, at + late);
      callback();
    }
    this.time = until;
  }
}

function play(seconds: number, pace: Pace, rate = 16_000) {
  const messages: { message: BrowserMessage; samples: Float32Array | undefined }[] = [];
  const stream = new OutgoingStream(
    { page: "p", stream: 1, source: "file", name: "a.wav", rate },
    (message, samples) => messages.push({ message, samples }),
  );
  const samples = Float32Array.from({ length: Math.round(seconds * rate) }, (_, i) => i);
  const clock = new FakeClock();
  let ended = 0;
  const player = new FilePlayer(
    { name: "a.wav", rate, samples },
    pace,
    stream,
    () => {},
    () => {
      ended += 1;
    },
    clock,
  );
  player.start();
  return { player, stream, clock, messages, samples, ended: () => ended };
}

describe("a file as fast as it goes", () => {
  it("never has more blocks under way than allowed", () => {
    const { player, stream } = play(10, "fast");
    expect(stream.blocks).toBe(BLOCKS_IN_FLIGHT);
    stream.ack(4);
    player.acknowledged();
    expect(stream.blocks).toBe(BLOCKS_IN_FLIGHT + 5);
  });

  it("goes on with acknowledgements alone, without timers", () => {
    const { player, stream, clock, ended } = play(10, "fast");
    while (!ended()) {
      stream.ack(stream.blocks - 1);
      player.acknowledged();
    }
    expect(stream.blocks).toBe(100);
    expect(clock.due).toBeNull();
  });

  it("sends every sample once, in order, the last block shorter", () => {
    const { messages, samples, ended } = play(1.03, "fast");
    const blocks = messages.filter(({ message }) => message.type === "block");
    expect(blocks.flatMap(({ samples: sent }) => [...(sent ?? [])])).toEqual([...samples]);
    expect(blocks.map(({ message }) => (message as { seq: number }).seq)).toEqual([...blocks.keys()]);
    expect(messages.at(-1)?.message).toMatchObject({ type: "close", blocks: 11, reason: "ended" });
    expect(messages[0]?.message).toMatchObject({ type: "open", source: "file", tail_s: 1, rate: 16_000 });
    expect(ended()).toBe(1);
  });
});

describe("a file in real time", () => {
  it("sends a block when a microphone would have had it", () => {
    const { stream, clock } = play(3, "realtime");
    expect(stream.blocks).toBe(0);
    clock.pass(99);
    expect(stream.blocks).toBe(0);
    clock.pass(2);
    expect(stream.blocks).toBe(1);
  });

  it("does not drift, however late the timers are", () => {
    const { stream, clock, player } = play(60, "realtime");
    for (let second = 1; second <= 50; second++) {
      clock.pass(1000, 7);
      stream.ack(stream.blocks - 1);
      player.acknowledged();
      expect(Math.abs(stream.blocks - second * 10)).toBeLessThanOrEqual(1);
    }
  });

  it("waits for the kernel rather than flooding it", () => {
    const { stream, clock, player } = play(60, "realtime");
    clock.pass(20_000);
    expect(stream.blocks).toBe(BLOCKS_IN_FLIGHT);
    stream.ack(stream.blocks - 1);
    player.acknowledged();
    expect(stream.blocks).toBe(2 * BLOCKS_IN_FLIGHT);
  });

  it("can be stopped, and then sends nothing more", () => {
    const { player, stream, clock } = play(10, "realtime");
    clock.pass(500);
    player.stop();
    const sent = stream.blocks;
    clock.pass(5000);
    player.acknowledged();
    expect(stream.blocks).toBe(sent);
  });

  it("tells how far it is", () => {
    const { player, clock } = play(2, "realtime");
    clock.pass(1001);
    expect(player.progress).toBeCloseTo(0.5);
  });
});

describe("a stream", () => {
  it("closes once and takes nothing afterwards", () => {
    const messages: BrowserMessage[] = [];
    const stream = new OutgoingStream(
      { page: "p", stream: 2, source: "mic", name: "x", rate: 48_000 },
      (message) => messages.push(message),
    );
    stream.send(new Float32Array(4800), 0.5);
    stream.send(new Float32Array(0), 0.6);
    stream.close("stopped");
    stream.close("ended");
    stream.send(new Float32Array(4800), 0.7);
    expect(messages.map(({ type }) => type)).toEqual(["open", "block", "close"]);
    expect(messages[2]).toMatchObject({ blocks: 1, reason: "stopped" });
    expect(stream.seconds).toBeCloseTo(0.1);
  });
});
