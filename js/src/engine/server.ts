/** The worker's side: runs the sessions of one model, and answers the requests of the page. */

import { written } from "./errors";
import type { Runtime } from "./runtime";
import { LocalSession } from "./session";
import type { Model } from "./terms";
import { Tokenizer } from "./tokenizer";
import type { News, Numbered, Port, Reply, Request } from "./worker-messages";

/** Makes the runtime that a `load` request asks for. */
export type Start = (request: Extract<Request, { type: "load" }>) => Promise<Runtime>;

/** Session of the page, with its readers by the page's numbers, and the number of its events that were told. */
interface Served {
  readonly session: LocalSession;
  readonly readers: Map<number, number>;
  told: number;
}

export class EngineServer {
  private model: Model | null = null;
  private runtime: Runtime | null = null;
  private readonly sessions = new Map<number, Served>();

  constructor(
    private readonly port: Port,
    private readonly start: Start,
  ) {
    port.onmessage = ({ data }) => void this.answer(data as Numbered);
  }

  private async answer(request: Numbered): Promise<void> {
    let value: unknown = null;
    let error: unknown = null;
    try {
      value = await this.run(request);
    } catch (caught) {
      error = caught;
    }
    const reply: Reply = {
      number: request.number,
      error: error === null ? null : written(error),
      value,
      original: request.type === "fork" ? this.newsOf(request.session) : null,
      news:
        request.type === "load" ? null : this.newsOf(request.type === "fork" ? request.to : request.session),
    };
    this.port.postMessage(reply, value instanceof Float32Array ? [value.buffer] : []);
    if (request.type === "close") this.sessions.delete(request.session);
  }

  private async run(request: Request): Promise<unknown> {
    if (request.type === "load") {
      const { manifest } = request;
      this.runtime = await this.start(request);
      this.model = { manifest, tokenizer: new Tokenizer(manifest.vocabulary) };
      return null;
    }
    if (request.type === "open" || request.type === "rerun") {
      if (!this.model || !this.runtime) throw new Error("A session was opened before the model was loaded.");
      const { model, runtime } = this;
      const opened =
        request.type === "open"
          ? LocalSession.open(model, runtime, request.settings)
          : LocalSession.rerun(model, runtime, request.past);
      this.serve(request.session, opened);
      return null;
    }
    const served = this.sessions.get(request.session);
    if (!served) throw new Error(`There is no session ${request.session}.`);
    const { session, readers } = served;
    switch (request.type) {
      case "push": {
        const { samples, rate, origin } = request;
        readers.set(request.reader, session.begin({ kind: "block", samples, rate, origin }));
        return null;
      }
      case "finish":
        readers.set(request.reader, session.begin({ kind: "end", tail: request.tail }));
        return null;
      case "note":
        readers.set(request.reader, session.begin({ kind: "note", notice: request.notice }));
        return null;
      case "runOn":
        readers.set(request.reader, session.begin(null));
        return null;
      case "more": {
        const ready = await session.more(readers.get(request.reader) ?? 0);
        if (ready.done) readers.delete(request.reader);
        return ready;
      }
      case "stop":
        session.stop(readers.get(request.reader) ?? 0);
        readers.delete(request.reader);
        return null;
      case "interrupt":
        return session.interrupt();
      case "set":
        session.set(request.settings);
        return null;
      case "fork": {
        const branch = await session.fork(request.change);
        this.serve(request.to, branch);
        return branch.shared;
      }
      case "audio":
        return session.audio(request.chunk);
      case "close":
        return session.close();
    }
  }

  private serve(number: number, session: LocalSession): void {
    this.sessions.set(number, { session, readers: new Map(), told: session.shared });
  }

  /** Return what a session has to tell since the last reply; null if there is no such session. */
  private newsOf(number: number): News | null {
    const served = this.sessions.get(number);
    if (!served) return null;
    const { record, settings, ended, chunks, pending_s, speaking } = served.session;
    const events = record.slice(served.told);
    served.told = record.length;
    return { session: number, events, settings, ended, chunks, pending_s, speaking };
  }
}
