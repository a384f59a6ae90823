/**
 * Whole sessions with the embedded checkpoint on onnxruntime-web, compared with Python's events. The graphs are built by
 * `make build/engine-model/manifest.json`, as `make test` does.
 */
import { beforeAll, describe, expect, it } from "vitest";
import type { EngineSession, Forced, SettingsChange } from "../src/engine/engine";
import type { Runtime } from "../src/engine/runtime";
import { LocalSession } from "../src/engine/session";
import type { Model } from "../src/engine/terms";
import { expectSame, loadTested, PATIENCE_MS } from "./engine-tested";
import { clip, vectors } from "./engine-vectors";

interface Action {
  push?: string;
  from?: number;
  to?: number;
  blocks?: number;
  nan?: number[];
  interrupt?: number;
  finish?: number;
  set?: SettingsChange;
  close?: boolean;
  fork?: number;
  settings?: SettingsChange;
  force?: Record<string, Forced>;
  audio?: Record<string, null | number>;
}

interface Session {
  name: string;
  settings: SettingsChange;
  actions: Action[];
  events: Record<string, unknown>[];
}

const { sessions } = vectors<{ sessions: Session[] }>("sessions.json");
let model: Model;
let runtime: Runtime;

beforeAll(async () => {
  ({ model, runtime } = await loadTested());
}, PATIENCE_MS);

describe("events equal those of Python", () => {
  it.each(sessions.map((session) => [session.name, session] as const))(
    "%s",
    async (_, { settings, actions, events }) => {
      let session: EngineSession = LocalSession.open(model, runtime, settings);
      for (const action of actions) session = await act(session, action);
      const found = session.record.filter(({ type }) => type !== "timing");
      const decisions = (all: readonly object[]) =>
        all.flatMap((event) => ("choice" in event ? [event.choice] : []));
      expect(decisions(found)).toEqual(decisions(events));
      expect(found).toHaveLength(events.length);
      for (const [place, event] of found.entries()) expectSame(event, events[place], `event ${place}`);
    },
    PATIENCE_MS,
  );
});

it(
  "a fork repeats the session, also where the context of its chunk is gone and is fed again",
  async () => {
    const settings = { seed: 2, context_limit: 110, bias: 1 };
    const session = LocalSession.open(model, runtime, settings);
    await read(session.push(clip("speech")));
    const slides = session.record.filter(
      (event) => event.type === "notice" && event.kind === "context_slide",
    );
    expect(slides.length).toBeGreaterThan(2);
    const events = (of: EngineSession) => of.record.filter(({ type }) => type !== "timing");
    for (const chunk of [session.chunks - 1, 12, 3, 0]) {
      const fork = await session.fork({ chunk });
      await read(fork.runOn());
      const own = events(fork).filter((event) => event.type !== "notice" || event.kind !== "fork");
      expect(own).toHaveLength(events(session).length);
      for (const [place, event] of own.entries()) {
        expectSame(event, events(session)[place], `fork at ${chunk}, event ${place}`);
      }
    }
  },
  PATIENCE_MS,
);

/** Do one action to its end, and return the session in which the next one is done. */
async function act(session: EngineSession, action: Action): Promise<EngineSession> {
  if (action.push !== undefined) await push(session, action);
  else if (action.finish !== undefined) await read(session.finish(action.finish));
  else if (action.set) session.set(action.set);
  else if (action.close) await session.close();
  else if (action.fork !== undefined) {
    const { fork: chunk, settings = {}, force = {}, audio = {} } = action;
    const fork = await session.fork({ chunk, settings, force, audio });
    await read(fork.runOn());
    return fork;
  }
  return session;
}

async function push(session: EngineSession, action: Action): Promise<void> {
  const { push: name = "", from = 0, to, blocks = 0, nan = [], interrupt } = action;
  const samples = clip(name).slice(from, to);
  for (const place of nan) samples[place] = Number.NaN;
  let spoken = 0;
  const length = blocks || samples.length;
  for (let start = 0; start < samples.length; start += length) {
    for await (const event of session.push(samples.subarray(start, start + length))) {
      if (event.type === "token" && ++spoken === interrupt) session.interrupt();
    }
  }
}

async function read(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events);
}
