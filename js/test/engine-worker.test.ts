/** The engine in a worker behaves as in the calling thread; a channel of messages takes the worker's place. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EngineError, SessionError, SettingError } from "../src/engine/errors";
import { loadEngine, startWorker, WorkerEngine } from "../src/engine/load";
import { readManifest } from "../src/engine/manifest";
import { readModel } from "../src/engine/model-files";
import { EngineServer } from "../src/engine/server";
import { LocalSession } from "../src/engine/session";
import type { Port } from "../src/engine/worker-messages";
import type { SessionEvent } from "../src/record/events";
import { all, LOUD, MANIFEST, MODEL, QUIET, ToyRuntime } from "./engine-toy";
import { joined } from "./engine-vectors";

// The suite shares its cores with other work.
vi.setConfig({ testTimeout: 60_000 });

let runtime: ToyRuntime;
let channel: MessageChannel;
let engine: WorkerEngine;
const FACTS = {
  ...({ runtime: "onnxruntime-web", version: "", provider: "wasm" } as const),
  ...{ threads: 1, worker: true, loaded_ms: 0 },
};

async function start(make: () => Promise<ToyRuntime>): Promise<void> {
  channel = new MessageChannel();
  new EngineServer(channel.port2 as unknown as Port, make);
  const port = channel.port1 as unknown as Port;
  const graphs = { tower: new ArrayBuffer(1), step: new ArrayBuffer(1) };
  const sessions = await startWorker(port, { manifest: MANIFEST, graphs }, "", 1);
  engine = new WorkerEngine(sessions, port, FACTS);
}

beforeEach(async () => {
  runtime = new ToyRuntime();
  await start(async () => runtime);
});

afterEach(() => {
  channel.port1.close();
  channel.port2.close();
});

/** Events without times, which differ. */
const timeless = (events: readonly SessionEvent[]) => events.filter(({ type }) => type !== "timing");

describe("a session in the worker", () => {
  it("has the events, the record and the state of one in the calling thread", async () => {
    const here = LocalSession.open(MODEL, new ToyRuntime(), { seed: 3 });
    const there = engine.session({ seed: 3 });
    for (const samples of [LOUD, QUIET, LOUD.subarray(0, 100)]) {
      expect(timeless(await all(there.push(samples)))).toEqual(timeless(await all(here.push(samples))));
    }
    const lost = { kind: "dropped", message: "0.4 s were dropped.", data: { seconds: 0.4 } };
    expect(await all(there.note(lost))).toEqual(await all(here.note(lost)));
    expect(there.record.at(-1)).toMatchObject({ type: "notice", chunk: 1, ...lost });
    expect(timeless(await all(there.finish(0.4)))).toEqual(timeless(await all(here.finish(0.4))));
    expect(timeless(there.record)).toEqual(timeless(here.record));
    const { heading, chunks, ended, pending_s, settings } = here;
    expect(there).toMatchObject({ heading, chunks, ended, pending_s, settings });
    expect(await there.audio(0)).toEqual(LOUD);
    expect(await there.audio(99)).toBeNull();
  });

  it("computes as it is read, and can be interrupted", async () => {
    const session = engine.session({ greedy: true });
    const stream = session.push(LOUD);
    await stream.next();
    expect(runtime.steps).toBe(0);
    const events: SessionEvent[] = [];
    for await (const event of stream) {
      events.push(event);
      if (event.type === "token") session.interrupt();
    }
    expect(events.find(({ type }) => type === "turn")).toMatchObject({ ended: "interrupted" });
  });

  it("leaves the caller's samples as they are", () => {
    engine.session().push(LOUD);
    expect(LOUD).toHaveLength(6400);
  });

  it("can be forked; the fork has the shared events and its own", async () => {
    const session = engine.session({ greedy: true });
    await all(session.push(LOUD));
    await all(session.push(QUIET));
    const fork = await session.fork({ chunk: 1, force: "TEXT_BEGIN", settings: { bias: 1 } });
    expect(fork.settings.bias).toBe(1);
    await all(fork.runOn());
    expect(fork.record.slice(0, 6)).toEqual(session.record.slice(0, 6));
    expect(fork.record.filter(({ type }) => type === "turn")).toHaveLength(2);
    const other = engine.session();
    await all(other.push(QUIET));
    expect(other.record[0]).toMatchObject({ type: "chunk", chunk: 0 });
  });

  it("hears a recording again as in the calling thread, and is forked before its end", async () => {
    const here = LocalSession.open(MODEL, new ToyRuntime(), { greedy: true });
    for (const samples of [LOUD, QUIET, LOUD]) await all(here.push(samples));
    const told = { settings: { ...here.settings }, sessions: 1, events: here.record, firstChunk: 0 };
    const samples = joined([LOUD, QUIET, LOUD]);
    const there = engine.rerun({ ...told, samples });
    const fork = await there.fork({ chunk: 1, force: "TEXT_BEGIN" });
    expect(there.chunks).toBe(1);
    expect(fork.record.slice(0, 5)).toEqual(there.record.slice(0, 5));
    await all(fork.runOn());
    expect(fork.record.filter(({ type }) => type === "turn")).toHaveLength(3);
    await all(there.runOn());
    expect(timeless(there.record)).toEqual(timeless(here.record));
    expect(samples).toHaveLength(3 * 6400);
    expect(() => engine.rerun({ ...told, samples: LOUD })).toThrow(SessionError);
    expect(() => engine.rerun({ ...told, samples, settings: { top_p: 7 } })).toThrow(SettingError);
  });

  it("refuses a wrong setting at once, and reports what the worker refuses by its class", async () => {
    expect(() => engine.session({ top_p: 7 })).toThrow(SettingError);
    const session = engine.session();
    expect(() => session.set({ context_limit: 2 })).toThrow(SettingError);
    await expect(session.fork({ chunk: 9 })).rejects.toThrow(SessionError);
    runtime.towerError = new Error("out of memory");
    await expect(all(session.push(LOUD))).rejects.toThrow("out of memory");
    expect(session.record.at(-1)).toMatchObject({ kind: "undecided" });
    expect(await all(session.push(QUIET))).not.toHaveLength(0);
  });

  it("ends with its notices", async () => {
    const session = engine.session();
    session.push(QUIET);
    await session.close();
    expect(session.record.at(-1)).toMatchObject({ kind: "dropped" });
    expect(() => session.push(QUIET)).toThrow("closed");
  });

  it("fails with a sentence when the engine is closed", async () => {
    const session = engine.session();
    await engine.close();
    await expect(all(session.push(QUIET))).rejects.toThrow("load it again with loadEngine");
  });
});

describe("loading", () => {
  const content = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).buffer;
  const files = { tower: { file: "tower.onnx", bytes: 4 }, step: { file: "step.onnx", bytes: 8 } };
  const read = async (name: string) =>
    name === "manifest.json"
      ? content({ ...MANIFEST, files })
      : new ArrayBuffer(name === "tower.onnx" ? 4 : 8);

  it("reports its progress in bytes", async () => {
    const told: [number, number | null][] = [];
    await readModel(read, (...progress) => told.push(progress));
    expect(told[0]).toEqual([0, null]);
    expect(told.at(-1)).toEqual([12, 12]);
  });

  it("refuses a manifest of another version, and files of another length", async () => {
    expect(() => readManifest(content({ ...MANIFEST, format: 99 }))).toThrow(
      "has format 99, this engine reads 1",
    );
    expect(() => readManifest(new TextEncoder().encode("<html>").buffer)).toThrow("not valid JSON");
    expect(() => readManifest(content({ format: 1 }))).toThrow("lacks files, shape");
    const short = async (name: string) => (name === "step.onnx" ? new ArrayBuffer(3) : read(name));
    await expect(readModel(short)).rejects.toThrow("step.onnx has 3 bytes, the manifest says 8");
  });

  it("reports a model that does not start, and an address that is not there", async () => {
    const refused = start(async () => {
      throw new EngineError("No WebAssembly.");
    });
    await expect(refused).rejects.toThrow(EngineError);
    const missing = loadEngine("http://127.0.0.1:9/model", { worker: null, wasm: new ArrayBuffer(0) });
    await expect(missing).rejects.toThrow("http://127.0.0.1:9/model/manifest.json could not be loaded");
  });
});
