/** `loadEngine`: read a model, start it in a Web Worker, and open sessions. */

import { EngineClient } from "./client";
import type { Engine, EngineFacts, EngineOptions, EngineSession, Recorded, SettingsChange } from "./engine";
import { EngineError } from "./errors";
import { RUNTIME_VERSION } from "./heading";
import type { Manifest } from "./manifest";
import { type ModelFiles, reader, readModel } from "./model-files";
import { pastOf } from "./past";
import { RemoteSession, Sessions } from "./remote-session";
import type { Runtime } from "./runtime";
import { LocalSession } from "./session";
import { changedSettings, defaultSettings, type Settings } from "./settings";
import { type Model, termsOf } from "./terms";
import { Tokenizer } from "./tokenizer";
import type { Port, Request } from "./worker-messages";

/** Names of the files beside the page, where the options name no others. */
const WORKER = "worker.js";
const WASM = "ort-wasm-simd-threaded.wasm";

/**
 * Load an exported model.
 *
 *     const engine = await loadEngine("model/");
 *     const session = engine.session({ greedy: true });
 *     for await (const event of session.push(samples, 48_000)) console.log(event);
 *
 * @param folder Folder of `manifest.json`, relative to the page or absolute.
 * @throws EngineError if a file cannot be read, or the model cannot be started in this browser.
 */
export async function loadEngine(folder: string | URL, options: EngineOptions = {}): Promise<Engine> {
  const started = performance.now();
  const { worker = WORKER, wasm = WASM, threads = 1, read = reader(absolute(folder, "/")) } = options;
  const port = worker === null ? null : opened(worker);
  const binary = wasm instanceof ArrayBuffer ? wasm : absolute(wasm);
  try {
    const files = await readModel(read, options.progress);
    const facts = (inWorker: boolean): EngineFacts => ({
      ...{ runtime: "onnxruntime-web", version: RUNTIME_VERSION, provider: "wasm", threads },
      ...{ worker: inWorker, loaded_ms: performance.now() - started },
    });
    if (!port) {
      // Loaded here only, so that a page with a worker does not contain onnxruntime twice.
      const { OrtRuntime } = await import("./ort-runtime");
      const runtime = await OrtRuntime.load(files.manifest, files.graphs, { wasm: binary, threads });
      return new LocalEngine(modelOf(files.manifest), runtime, facts(false));
    }
    const engine = await startWorker(port, files, binary, threads);
    return new WorkerEngine(engine, port, facts(true));
  } catch (error) {
    port?.terminate?.();
    throw error;
  }
}

/** Worker, or another port that nothing needs to end. */
export type WorkerPort = Port & { terminate?(): void };

/** Engine in the thread that calls it. */
export class LocalEngine implements Engine {
  constructor(
    private readonly model: Model,
    private readonly runtime: Runtime,
    readonly facts: EngineFacts,
  ) {}

  get manifest(): Manifest {
    return this.model.manifest;
  }

  session(settings: SettingsChange = {}): EngineSession {
    return LocalSession.open(this.model, this.runtime, settings);
  }

  rerun(recorded: Recorded): EngineSession {
    return LocalSession.rerun(this.model, this.runtime, pastOf(recorded));
  }

  close(): Promise<void> {
    return this.runtime.release();
  }
}

/** Engine in a worker. */
export class WorkerEngine implements Engine {
  constructor(
    private readonly sessions: Sessions,
    private readonly port: WorkerPort,
    readonly facts: EngineFacts,
  ) {}

  get manifest(): Manifest {
    return this.sessions.model.manifest;
  }

  session(changes: SettingsChange = {}): EngineSession {
    return this.opened(changes, (session, settings) => ({ type: "open", session, settings }));
  }

  rerun(recorded: Recorded): EngineSession {
    const past = pastOf(recorded);
    return this.opened(past.settings, (session) => ({ type: "rerun", session, past }));
  }

  private opened(
    changes: Readonly<Record<string, unknown>>,
    request: (session: number, settings: Settings) => Request,
  ): EngineSession {
    const { model, client } = this.sessions;
    const schema = model.manifest.settings;
    const settings = changedSettings(schema, defaultSettings(schema), changes);
    termsOf(model, settings);
    const session = this.sessions.number();
    return new RemoteSession(this.sessions, session, settings, client.request(request(session, settings)));
  }

  async close(): Promise<void> {
    this.sessions.client.fail("The engine was closed; load it again with loadEngine.");
    this.port.terminate?.();
  }
}

/** Send a model to a worker, and return its sessions as soon as it has started. */
export async function startWorker(
  port: WorkerPort,
  { manifest, graphs }: ModelFiles,
  wasm: string | ArrayBuffer,
  threads: number,
): Promise<Sessions> {
  const client = new EngineClient(port);
  if (typeof Worker !== "undefined" && port instanceof Worker) {
    port.onerror = (event) =>
      client.fail(`The engine's worker failed: ${event.message || "it did not load"}.`);
    port.onmessageerror = () =>
      client.fail("The engine's worker sent a message that this browser cannot read.");
  }
  const transfer = [graphs.tower, graphs.step];
  await client.request({ type: "load", manifest, graphs, wasm, threads }, transfer);
  return new Sessions(modelOf(manifest), client);
}

function modelOf(manifest: Manifest): Model {
  return { manifest, tokenizer: new Tokenizer(manifest.vocabulary) };
}

function opened(worker: string | URL | (() => Worker)): WorkerPort {
  try {
    return typeof worker === "function" ? worker() : new Worker(absolute(worker));
  } catch (error) {
    throw new EngineError(
      `The engine's worker could not be started: ${(error as Error).message}. ` +
        "loadEngine(folder, { worker: null }) runs the model in the page itself.",
    );
  }
}

/** Return an address relative to the page as an absolute one; `end` is appended if it is missing. */
function absolute(address: string | URL, end = ""): string {
  const base = typeof document === "undefined" ? globalThis.location?.href : document.baseURI;
  const { href } = new URL(address, base);
  return href.endsWith(end) ? href : `${href}${end}`;
}
