/** Replaying a record: cursor, speed, span and loop over an element whose time the test sets. */
import { beforeEach, describe, expect, it } from "vitest";
import { type Clip, type Player, SilentPlayer, wavOf } from "../src/playback/clip";
import { Replay } from "../src/playback/replay";

class FakePlayer implements Player {
  src = "";
  currentTime = 0;
  playbackRate = 1;
  ended = false;
  playing = false;
  refuse = "";
  play(): Promise<void> {
    if (this.refuse) return Promise.reject(new Error(this.refuse));
    this.playing = true;
    this.ended = false;
    return Promise.resolve();
  }
  pause(): void {
    this.playing = false;
  }
  addEventListener(): void {}
  removeAttribute(): void {
    this.src = "";
  }
}

const END_S = 8;
let player: FakePlayer;
let frames: (() => void)[];
let released: string[];
let replay: Replay;

/** Two clips of four seconds each. */
function clipAt(seconds: number): Promise<Clip | { why: string }> {
  const from_s = seconds < 4 ? 0 : 4;
  const url = `clip-${from_s}`;
  return Promise.resolve({ url, from_s, offset_s: 0, to_s: from_s + 4, release: () => released.push(url) });
}

/** Draws a frame when the player has come to `currentTime`. */
function frameAt(currentTime: number): void {
  player.currentTime = currentTime;
  for (const frame of frames.splice(0)) frame();
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

beforeEach(() => {
  player = new FakePlayer();
  frames = [];
  released = [];
  replay = new Replay(
    { clipAt, end_s: () => END_S },
    {
      createPlayer: () => player,
      nextFrame: (tick) => {
        frames.push(tick);
        return () => {
          frames = frames.filter((frame) => frame !== tick);
        };
      },
    },
  );
});

describe("a replay", () => {
  it("has no cursor before its first use, then moves it with the sound", async () => {
    expect(replay.position.value).toBeNull();
    await replay.play();
    expect(player.playing).toBe(true);
    frameAt(1.25);
    expect(replay.position.value).toBe(1.25);
    replay.pause();
    expect([player.playing, replay.playing.value, replay.position.value]).toEqual([false, false, 1.25]);
  });

  it("goes on with the next clip, and stops at the end of the record", async () => {
    await replay.play();
    frameAt(4);
    await settled();
    expect([player.src, player.currentTime, released]).toEqual(["clip-4", 0, ["clip-0"]]);
    frameAt(1.5);
    expect(replay.position.value).toBe(5.5);
    frameAt(4);
    expect([replay.playing.value, replay.position.value]).toEqual([false, END_S]);
  });

  it("begins again where play is pressed at the end", async () => {
    replay.seek(END_S);
    await replay.play();
    expect(replay.position.value).toBe(0);
  });

  it("goes on at the end of a sound that is shorter than its chunks", async () => {
    await replay.play();
    player.ended = true;
    frameAt(3.97);
    await settled();
    expect([player.src, replay.position.value]).toEqual(["clip-4", 4]);
  });

  it("seeks while it plays and while it does not, never outside of the record", async () => {
    replay.seek(99);
    expect([replay.position.value, player.playing]).toEqual([END_S, false]);
    replay.seek(-1);
    await replay.play();
    replay.seek(6);
    await settled();
    expect([player.src, player.currentTime, player.playing]).toEqual(["clip-4", 2, true]);
  });

  it("plays at another speed from the next moment on, and keeps the speed for the next clip", async () => {
    await replay.play();
    replay.setSpeed(1.5);
    expect(player.playbackRate).toBe(1.5);
    player.playbackRate = 1;
    replay.seek(5);
    await settled();
    expect(player.playbackRate).toBe(1.5);
  });

  it("plays a selected span and stops at its end", async () => {
    replay.select({ from_s: 2.4, to_s: 1.2 });
    expect(replay.span.value).toEqual({ from_s: 1.2, to_s: 2.4 });
    await replay.play();
    expect(player.currentTime).toBe(1.2);
    frameAt(2.41);
    expect([replay.playing.value, replay.position.value]).toEqual([false, 2.4]);
  });

  it("loops the span, or the whole record where nothing is selected", async () => {
    replay.setLooping(true);
    replay.select({ from_s: 1.2, to_s: 2.4 });
    await replay.play();
    frameAt(2.45);
    await settled();
    expect([replay.playing.value, replay.position.value, player.currentTime]).toEqual([true, 1.2, 1.2]);
    replay.select(null);
    replay.seek(7.9);
    await settled();
    frameAt(4);
    await settled();
    expect([replay.playing.value, replay.position.value]).toEqual([true, 0]);
  });

  it("says why it cannot play, and can be started again", async () => {
    player.refuse = "NotAllowedError";
    await replay.play();
    expect(replay.playing.value).toBe(false);
    expect(replay.said.value).toContain("NotAllowedError");
    player.refuse = "";
    await replay.play();
    expect([replay.playing.value, replay.said.value]).toEqual([true, ""]);
  });

  it("drops a clip that arrives after another place was asked for", async () => {
    const first = replay.play();
    replay.seek(5);
    await first;
    await settled();
    expect(player.src).toBe("clip-4");
    expect(released).toEqual(["clip-0"]);
  });
});

it("without sound, time passes at the chosen speed", async () => {
  let now = 0;
  const silent = new SilentPlayer(() => now);
  await silent.play();
  now = 1000;
  expect(silent.currentTime).toBe(1);
  silent.playbackRate = 2;
  now = 2000;
  expect(silent.currentTime).toBe(3);
  silent.pause();
  now = 9000;
  expect(silent.currentTime).toBe(3);
});

it("sounds become one WAV file with the samples in their order", async () => {
  const half = { rate: 16_000, samples: new Float32Array([0.5]) };
  const bytes = await wavOf([half, { rate: 16_000, samples: new Float32Array([-1, 2]) }]).arrayBuffer();
  const view = new DataView(bytes);
  expect(view.getUint32(24, true)).toBe(16_000);
  expect([44, 46, 48].map((at) => view.getInt16(at, true))).toEqual([16_384, -32_767, 32_767]);
});
