/** The engine's files as the kernel sends them: part by part, checked, unpacked and stored. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { BrowserMessage, KernelMessage } from "../src/channel/messages";
import { base64 } from "../src/channel/payload";
import { FileCache, type Stores } from "../src/mirror/file-cache";
import { HeldClips } from "../src/mirror/held-clips";
import { ASK_AGAIN_MS, KernelFiles } from "../src/mirror/kernel-files";

type Asked = Extract<BrowserMessage, { type: "engine_file" }>;
type Part = Extract<KernelMessage, { type: "engine_part" }>;

/** The browser's Cache API, in memory. */
class FakeStores implements Stores {
  contents = new Map<string, ArrayBuffer>();
  forbidden = false;

  async open(): Promise<Cache> {
    if (this.forbidden) throw new DOMException("denied", "SecurityError");
    const { contents } = this;
    const cache = {
      match: async (at: string) => (contents.has(at) ? new Response(contents.get(at)) : undefined),
      put: async (at: string, response: Response) => contents.set(at, await response.arrayBuffer()),
      delete: async (at: string) => contents.delete(at),
      keys: async () => [...contents.keys()],
    };
    return cache as unknown as Cache;
  }
}

const FILES = { "engine-worker.js": "postMessage(1);", "model/step.onnx": "weights ".repeat(40) };

function sent(files: Readonly<Record<string, string>> = FILES, packed = ["model/step.onnx"]) {
  return Object.entries(files).map(([name, text]) => {
    const gzip = packed.includes(name);
    const content = new Uint8Array(gzip ? gzipSync(text) : new TextEncoder().encode(text));
    const sha256 = createHash("sha256").update(content).digest("hex");
    return { name, content, offered: { name, bytes: content.length, sha256, gzip } };
  });
}

function begin(more: { stores?: FakeStores; subtle?: null; files?: Readonly<Record<string, string>> } = {}) {
  const asked: Asked[] = [];
  const stores = more.stores ?? new FakeStores();
  const files = new KernelFiles({
    page: "p",
    post: (message) => asked.push(message as Asked),
    cache: new FileCache(stores),
    ...(more.subtle === null ? { subtle: null } : {}),
  });
  const contents = sent(more.files);
  const offer = () => files.offer(contents.map(({ offered }) => offered));
  /** The kernel answers one request. */
  const answer = (size: number, change: Partial<Part> = {}, text = false) => {
    const next = asked.shift();
    if (!next) return false;
    const { name, offset } = next;
    const content = contents.find((file) => file.name === name)?.content ?? new Uint8Array();
    const bytes = content.slice(offset, offset + size);
    const last = offset + size >= content.length;
    const part: Part = {
      type: "engine_part",
      page: "p",
      name,
      offset,
      last,
      ok: bytes.length > 0,
      ...change,
    };
    if (text) files.part({ ...part, data: base64(bytes.buffer as ArrayBuffer) }, []);
    else files.part(part, [bytes]);
    return true;
  };
  const answerAll = async (size: number, text = false) => {
    for (let quiet = 0; quiet < 5; quiet++) {
      while (answer(size, {}, text)) quiet = 0;
      await new Promise((done) => setTimeout(done, 0));
    }
  };
  return { files, asked, stores, offer, answer, answerAll, contents };
}

const textOf = (content: ArrayBuffer) => new TextDecoder().decode(content);

describe("a file", () => {
  it("is asked for when the kernel offers it, joined of its parts and unpacked", async () => {
    const { files, asked, offer, answerAll } = begin();
    const progress: [number, number][] = [];
    files.progress = (loaded, total) => progress.push([loaded, total]);
    const reading = files.read("model/step.onnx");
    await new Promise((done) => setTimeout(done, 0));
    expect(asked).toEqual([]);
    offer();
    await answerAll(10);
    expect(textOf(await reading)).toBe(FILES["model/step.onnx"]);
    const [total] = progress.map(([, all]) => all);
    expect(progress.at(-1)).toEqual([total, total]);
    expect(progress.map(([loaded]) => loaded)).toEqual(
      [...progress.map(([loaded]) => loaded)].sort((a, b) => a - b),
    );
    expect(files.busy).toBe(false);
  });

  it("arrives as base64 where the host drops buffers, in parts of any size", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60 }), fc.boolean(), async (size, text) => {
        const { files, offer, answerAll } = begin();
        offer();
        const reading = files.read("engine-worker.js");
        await answerAll(size, text);
        expect(textOf(await reading)).toBe(FILES["engine-worker.js"]);
      }),
      { numRuns: 20 },
    );
  });

  it("that two ask for at once is sent once", async () => {
    const { files, offer, answerAll, asked } = begin();
    offer();
    const readings = [files.read("engine-worker.js"), files.read("engine-worker.js")];
    await new Promise((done) => setTimeout(done, 0));
    expect(asked.length).toBe(1);
    await answerAll(100);
    expect((await Promise.all(readings)).map(textOf)).toEqual([
      FILES["engine-worker.js"],
      FILES["engine-worker.js"],
    ]);
  });

  it("that was changed on its way is refused in a sentence, and is not stored", async () => {
    const { files, offer, answerAll, contents, stores } = begin();
    offer();
    contents[0]?.content.set([0], 3);
    const reading = files.read("engine-worker.js");
    const refused = expect(reading).rejects.toThrow(
      "engine-worker.js has changed on its way from the kernel",
    );
    await answerAll(100);
    await refused;
    expect(stores.contents.size).toBe(0);
  });

  it("that is too short or too long is refused, also where the page cannot hash", async () => {
    for (const change of [{ last: true }, { last: false }]) {
      const { files, offer, answer, contents } = begin({ subtle: null });
      offer();
      const reading = files.read("engine-worker.js");
      const refused = expect(reading).rejects.toThrow(/has \d+ bytes in place of the 15/);
      await new Promise((done) => setTimeout(done, 0));
      if (change.last) answer(4, change);
      else {
        const file = contents[0] as (typeof contents)[number];
        file.content = new Uint8Array(40);
        answer(40, change);
      }
      await refused;
    }
  });

  it("that the kernel does not have is a sentence", async () => {
    const { files, offer, answer } = begin();
    offer();
    await expect(files.read("model/other.onnx")).rejects.toThrow("no file model/other.onnx");
    const reading = files.read("engine-worker.js");
    const refused = expect(reading).rejects.toThrow("has sent no part of its file engine-worker.js");
    await new Promise((done) => setTimeout(done, 0));
    answer(100, { ok: false });
    await refused;
  });

  it("of a kernel that cannot export its model fails with the kernel's sentence", async () => {
    const { files } = begin();
    const reading = files.read("engine-worker.js");
    files.fail("The model has 7,000 million weights; a page runs up to 100 million.");
    await expect(reading).rejects.toThrow("7,000 million weights");
  });
});

describe("clips", () => {
  it("are fetched before they are played, since a busy kernel sends none", async () => {
    const files = {
      "engine-worker.js": "",
      "clips/rain.flac": "rain",
      "clips/clips.json": "{}",
      "clips/digit.flac": "7",
    };
    const { files: kernel, offer, answerAll, asked } = begin({ files });
    const clips = new HeldClips(kernel);
    const fetching = clips.fetch();
    offer();
    await answerAll(100);
    await fetching;
    const rain = await clips.read("rain");
    expect([rain.name, await rain.text()]).toEqual(["rain.flac", "rain"]);
    await clips.read("rain");
    expect(asked).toEqual([]);
    vi.spyOn(console, "warn").mockImplementation(() => {});
    await expect(clips.read("other")).rejects.toThrow("no file clips/other.flac");
    vi.restoreAllMocks();
  });
});

describe("the store", () => {
  it("answers the next page, which asks the kernel for nothing", async () => {
    const first = begin();
    first.offer();
    const reading = first.files.read("model/step.onnx");
    await first.answerAll(100);
    await reading;
    const next = begin({ stores: first.stores });
    next.offer();
    expect(textOf(await next.files.read("model/step.onnx"))).toBe(FILES["model/step.onnx"]);
    expect(next.asked).toEqual([]);
  });

  it("is not trusted: content with another digest is asked for again", async () => {
    const first = begin();
    first.offer();
    const reading = first.files.read("engine-worker.js");
    await first.answerAll(100);
    await reading;
    const [at] = [...first.stores.contents.keys()];
    first.stores.contents.set(
      at as string,
      new TextEncoder().encode("postMessage(2);").buffer as ArrayBuffer,
    );
    const next = begin({ stores: first.stores });
    next.offer();
    const again = next.files.read("engine-worker.js");
    await next.answerAll(100);
    expect(textOf(await again)).toBe(FILES["engine-worker.js"]);
  });

  it("may be forbidden: the kernel sends the file", async () => {
    const stores = new FakeStores();
    stores.forbidden = true;
    vi.spyOn(console, "debug").mockImplementation(() => {});
    const { files, offer, answerAll } = begin({ stores });
    offer();
    const reading = files.read("engine-worker.js");
    await answerAll(100);
    expect(textOf(await reading)).toBe(FILES["engine-worker.js"]);
    vi.restoreAllMocks();
  });

  it("holds the files of a few models", async () => {
    const stores = new FakeStores();
    const cache = new FileCache(stores);
    for (let i = 0; i < 40; i++) await cache.put(`digest-${i}`, new ArrayBuffer(1));
    expect(stores.contents.size).toBeLessThan(30);
    expect(await cache.get("digest-39")).not.toBeNull();
    expect(await cache.get("digest-0")).toBeNull();
  });
});

describe("a part that is lost", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it("is asked for again, ever more rarely while the kernel is busy, and a late answer counts once", async () => {
    const { files, offer, asked, answer } = begin({ subtle: null });
    offer();
    const reading = files.read("engine-worker.js");
    await vi.advanceTimersByTimeAsync(0);
    expect(asked.length).toBe(1);
    await vi.advanceTimersByTimeAsync(ASK_AGAIN_MS);
    expect(asked.map(({ offset }) => offset)).toEqual([0, 0]);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(asked.length).toBeLessThan(15);
    const twice = asked.splice(0).slice(0, 2);
    asked.push(...twice);
    answer(10);
    answer(10);
    expect(asked.map(({ offset }) => offset)).toEqual([10]);
    answer(10);
    expect(textOf(await reading)).toBe(FILES["engine-worker.js"]);
  });
});
