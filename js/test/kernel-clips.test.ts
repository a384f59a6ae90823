/** A replay in the widget: the kernel's audio of a few seconds at a time, the next ones fetched ahead. */
import { beforeEach, expect, it, vi } from "vitest";
import { CLIP_CHUNKS, KernelClips } from "../src/channel/kernel-clips";
import type { Fetched } from "../src/playback/sound";
import { addEvents, createStore } from "../src/store/store";
import { chunk } from "./fakes";

const CHUNKS = 50;
let kept: (k: number) => boolean;
let fetched: number[];
let clips: KernelClips;
const blobs: Blob[] = [];

beforeEach(() => {
  kept = () => true;
  fetched = [];
  blobs.length = 0;
  vi.stubGlobal("URL", {
    createObjectURL: (blob: Blob) => `blob:${blobs.push(blob)}`,
    revokeObjectURL: vi.fn(),
  });
  const store = createStore();
  addEvents(
    store,
    Array.from({ length: CHUNKS }, (_, k) => chunk(k)),
  );
  clips = new KernelClips({
    store,
    fetchAudio: (k): Promise<Fetched> => {
      fetched.push(k);
      const sound = { rate: 16_000, samples: new Float32Array(6400).fill(k / 100) };
      return Promise.resolve(kept(k) ? { sound } : { why: `no chunk ${k}` });
    },
  });
});

it("a clip begins with the chunk of its moment and has the sound of whole chunks", async () => {
  const clip = await clips.clipAt(4.1);
  if ("why" in clip) throw new Error(clip.why);
  expect(clip.from_s).toBeCloseTo(4);
  expect(clip.to_s).toBeCloseTo(4 + 0.4 * CLIP_CHUNKS);
  expect(blobs[0]?.size).toBe(44 + 2 * 6400 * CLIP_CHUNKS);
  expect(fetched.slice(0, 2)).toEqual([10, 11]);
});

it("the following clip is fetched ahead, once", async () => {
  const clip = await clips.clipAt(0);
  if ("why" in clip) throw new Error(clip.why);
  expect(fetched).toHaveLength(2 * CLIP_CHUNKS);
  await clips.clipAt(clip.to_s);
  expect(new Set(fetched).size).toBe(fetched.length);
  expect(fetched).toHaveLength(CHUNKS);
});

it("a clip ends before the first chunk that the kernel no longer keeps, which says why", async () => {
  kept = (k) => k < 5;
  const clip = await clips.clipAt(0);
  if ("why" in clip) throw new Error(clip.why);
  expect(clip.to_s).toBeCloseTo(2);
  expect(await clips.clipAt(2)).toEqual({ why: "no chunk 5" });
});

it("what could not be fetched ahead is asked for again", async () => {
  kept = (k) => k < CLIP_CHUNKS;
  const clip = await clips.clipAt(0);
  if ("why" in clip) throw new Error(clip.why);
  kept = () => true;
  expect(await clips.clipAt(clip.to_s)).toMatchObject({ from_s: clip.to_s });
});
