/** The channel to an engine in the page, driven with an engine that has a script instead of a model. */
import { describe, expect, it, vi } from "vitest";
import { EngineChannel, type EngineChannelOptions } from "../src/page/engine-channel";
import { linesOf } from "../src/page/kept-events";
import { readRecording, writeRecording } from "../src/page/recording-file";
import type { Header } from "../src/page/recording-header";
import { FakeMicrophone } from "./fakes";
import { type Script, ScriptedEngine, type ScriptedSession } from "./scripted-engine";

const LOUD: Script = (_, samples) => (samples.some((sample) => sample > 0.5) ? ["Hel", "lo."] : null);

async function begin(script: Script = LOUD, options: Partial<EngineChannelOptions> = {}) {
  const engine = new ScriptedEngine(script);
  const microphone = new FakeMicrophone();
  const saved: { blob: Blob; name: string }[] = [];
  const channel = new EngineChannel(async () => engine, {
    captureHost: microphone.host,
    clip: async (name) => file(sound(2, 0.9), `${name}.flac`),
    deliver: (blob, name) => saved.push({ blob, name }),
    player: {
      decode: async (file) => ({
        samples: new Float32Array(await file.arrayBuffer()),
        rate: 16_000,
        channel: 0,
      }),
      wait: async () => {},
    },
    ...options,
  });
  await channel.start();
  const { store } = channel;
  return { engine, microphone, channel, store, saved, session: engine.sessions[0] as ScriptedSession };
}

/** Wait until `found` holds, as the loop goes on in later turns. */
async function until(found: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(found()).toBe(true));
}

function sound(chunks: number, value = 0.1): Float32Array<ArrayBuffer> {
  return new Float32Array(6400 * chunks).fill(value);
}

function file(samples: Float32Array<ArrayBuffer>, name = "talk.wav"): File {
  return new File([samples], name);
}

async function heard(script: Script = LOUD) {
  const begun = await begin(script);
  const samples = sound(6);
  samples.fill(0.9, 2 * 6400, 3 * 6400);
  await begun.channel.playFile(file(samples), "fast");
  await until(() => begun.store.file.value?.state === "ended");
  return begun;
}

describe("loading", () => {
  it("says what runs the model, and where", async () => {
    const { store, channel } = await begin();
    expect(channel.ready).toBe(true);
    expect(store.line.value).toBe("ready");
    expect(store.runsIn).toBe("page");
    expect(store.model.value).toMatchObject({ status: "ready", name: "scripted" });
    expect(store.model.value.detail).toBe("in this tab");
    expect(channel.facts.value).toMatchObject({ provider: "wasm", threads: 1 });
    expect(store.vocabulary.value.tokens.TEXT_BEGIN).toBe(3);
    expect(store.vocabulary.value.block).toEqual([{ name: "FRAMES", token: 5, count: 10 }]);
  });

  it("shows the sentence of an engine that cannot be loaded, and takes no audio", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    let progress = (_loaded: number, _total: number | null) => {};
    const channel = new EngineChannel(
      async (told) => {
        progress = told;
        throw new Error("The model's file step.onnx is missing.");
      },
      { captureHost: new FakeMicrophone().host, clip: async () => new File([], "") },
    );
    await channel.start();
    progress(5, 10);
    expect(channel.store.model.value.status).toBe("failed");
    expect(channel.store.problems.value[0]?.sentence).toBe("The model's file step.onnx is missing.");
    await channel.record();
    expect(channel.running).toBe(false);
  });
});

describe("the microphone", () => {
  it("is decided in the page, block by block, with its origin", async () => {
    const { microphone, channel, store, session } = await begin();
    await channel.record();
    for (let i = 0; i < 8; i++) microphone.hear(new Float32Array(4800).fill(0.9));
    await until(() => store.record.decided === 2);
    expect(store.shown.value).toBe("listening");
    expect(store.record.turns.map(({ text }) => text)).toEqual(["Hello.", "Hello."]);
    expect(session.origins[3]).toMatchObject({ stream: 1, seq: 3, microphone: true, flags: [] });
    expect(store.waiting.value).toBe(0);
    await channel.stop();
    expect(store.shown.value).toBe("stopped");
  });

  it("is flagged while muted, and pads the last chunk at its end", async () => {
    const { microphone, channel, store } = await begin();
    await channel.record();
    microphone.hear(new Float32Array(4800).fill(0.9));
    channel.mute(true);
    for (let i = 0; i < 3; i++) microphone.hear(new Float32Array(4800).fill(0.9));
    microphone.hear(new Float32Array(4800).fill(0.9));
    await channel.stop();
    await until(() => store.record.decided === 2);
    expect(store.record.chunks.get(0)?.flags).toEqual(["gated"]);
  });
});

describe("audio during a reply", () => {
  it.each(["keep", "drop", "interrupt"])("with the policy %s", async (arrival) => {
    const { microphone, channel, store, session } = await begin((at) => (at === 0 ? ["one ", "two"] : null));
    channel.set({ arrival });
    channel.loop("step");
    await channel.record();
    for (let i = 0; i < 4; i++) microphone.hear(new Float32Array(4800).fill(0.5));
    for (const _ of ["perceive", "decide"]) channel.step();
    await until(() => session.speaking);
    for (let i = 0; i < 4; i++) microphone.hear(new Float32Array(4800).fill(0.5));
    channel.loop("run");
    await until(() => store.record.turns[0]?.ended != null);
    await channel.stop();
    await until(() => store.waiting.value === 0 && !store.record.speaking);
    const ended = store.record.turns[0]?.ended;
    const kinds = store.record.notices.map(({ kind }) => kind);
    const second = store.record.chunks.get(1)?.flags ?? null;
    expect({ ended, kinds, second }).toEqual(
      {
        keep: { ended: "TEXT_END", kinds: [], second: ["waited"] },
        drop: { ended: "TEXT_END", kinds: ["dropped"], second: null },
        interrupt: { ended: "interrupted", kinds: [], second: ["waited"] },
      }[arrival],
    );
    expect(store.counters.value.dropped_chunks).toBe(arrival === "drop" ? 1 : 0);
  });
});

describe("a file", () => {
  it("is decided with a second of silence after it", async () => {
    const { store } = await heard();
    // Six chunks of the file, and 1 s of silence, padded.
    expect(store.record.decided).toBe(9);
    expect(store.record.turns.map(({ chunk, text }) => [chunk, text])).toEqual([[2, "Hello."]]);
    expect(store.file.value).toMatchObject({ state: "ended", position_s: 2.4, seconds: 2.4 });
    expect(store.announcement.value).toBe("Hello.");
  });

  it("that cannot be decoded is a sentence", async () => {
    const { channel, store } = await begin(LOUD, {
      player: {
        decode: async () => {
          throw new Error("broken");
        },
      },
    });
    await channel.playFile(file(sound(1), "broken.wav"), "fast");
    await until(() => store.problems.value.length > 0);
    expect(store.file.value?.state).toBe("failed");
    expect(store.problems.value[0]?.sentence).toContain("broken.wav cannot be read");
  });

  it("of the package is played by its name", async () => {
    const { channel, store } = await begin();
    await channel.playClip("digit", "fast");
    await until(() => store.file.value?.state === "ended");
    expect(store.file.value?.name).toBe("digit.flac");
    expect(store.record.turns.length).toBe(2);
  });

  it("of the package that cannot be loaded is a sentence", async () => {
    const { channel, store } = await begin(LOUD, {
      clip: async () => {
        throw new Error("clips/digit.flac cannot be loaded: the server does not answer.");
      },
    });
    await channel.playClip("digit", "fast");
    expect(store.problems.value[0]?.sentence).toContain("clips/digit.flac cannot be loaded");
  });

  it("stops when it is cancelled, and the session goes on with the next", async () => {
    const { channel, store } = await begin(LOUD, {
      player: {
        decode: async (given) => ({
          samples: new Float32Array(await given.arrayBuffer()),
          rate: 16_000,
          channel: 0,
        }),
      },
    });
    await channel.playFile(file(sound(10)), "realtime");
    await until(() => store.file.value?.state === "playing");
    await channel.stop();
    expect(store.file.value?.state).toBe("stopped");
    const before = store.record.decided;
    await channel.playFile(file(sound(1), "next.wav"), "fast");
    await until(() => store.file.value?.state === "ended");
    expect(store.record.decided).toBeGreaterThan(before);
  });
});

describe("settings", () => {
  it("take effect, are shown, and are in the address", async () => {
    const shared: string[] = [];
    const { channel, store, session } = await begin(LOUD, { share: (hash) => shared.push(hash) });
    channel.set({ bias: 1.5, greedy: true });
    expect(session.settings).toMatchObject({ bias: 1.5, greedy: true });
    expect(store.settings.value).toMatchObject({ bias: 1.5, greedy: true });
    expect(shared).toEqual(["", "#greedy=true&bias=1.5"]);
    channel.set({ echo_cancellation: true });
    expect(store.live.value.echo_cancellation).toBe(true);
  });

  it("that are refused keep their values and say why", async () => {
    const { channel, store } = await begin();
    channel.set({ bias: 21 });
    expect(store.refused.value.bias).toBe("bias must be at most 20.");
    expect(store.settings.value?.bias).toBe(0);
  });

  it("of the address are in effect from the start; others are refused in a sentence", async () => {
    const { store, session } = await begin(LOUD, { hash: "#bias=-2&greedy=perhaps&volume=11" });
    expect(session.settings).toMatchObject({ bias: -2, greedy: false });
    const [problem] = store.problems.value;
    expect(problem?.sentence).toContain("greedy cannot be “perhaps”; it is true or false.");
    expect(problem?.sentence).toContain("“volume” is no setting.");
  });
});

describe("the loop", () => {
  it("does one phase a step", async () => {
    const { channel, store } = await begin();
    channel.loop("step");
    void channel.playFile(file(sound(2, 0.9)), "fast");
    await until(() => store.loop.value.waiting > 0);
    expect(store.record.chunks.length).toBe(0);
    channel.step();
    await until(() => store.loop.value.phase === "perceive" && store.record.chunks.length === 1);
    expect(store.record.decided).toBe(0);
    channel.step();
    await until(() => store.record.decided === 1);
    expect(store.loop.value).toMatchObject({ phase: "decide", chunk: 0 });
    expect(store.record.turns.length).toBe(0);
    channel.step();
    await until(() => store.record.turns[0]?.ended === "TEXT_END");
    expect(store.record.chunks.length).toBe(1);
    channel.loop("run");
    await until(() => store.file.value?.state === "ended");
  });

  it("is interrupted after the current token", async () => {
    const { channel, store } = await begin(() => ["one ", "two ", "three"]);
    channel.loop("step");
    void channel.playFile(file(sound(1)), "fast");
    for (const _ of ["perceive", "decide"]) channel.step();
    await until(() => store.record.decided === 1);
    channel.interrupt();
    channel.step();
    await until(() => store.record.turns[0]?.ended === "interrupted");
  });

  it("begins again without the old session's events", async () => {
    const { channel, store, engine } = await heard();
    channel.set({ bias: 1 });
    await channel.reset();
    expect(store.record.count).toBe(0);
    expect(engine.sessions[0]?.closed).toBe(true);
    expect(engine.sessions[1]?.settings).toMatchObject({ bias: 1 });
    await channel.playFile(file(sound(1)), "fast");
    await until(() => store.file.value?.state === "ended");
    expect(store.record.chunks.get(0)?.chunk).toBe(0);
  });

  it("shows the sentence of a model that fails, and keeps what was heard", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const { channel, store } = await begin((at) => {
      if (at === 2) throw new Error("The logits are not finite.");
      return null;
    });
    await channel.playFile(file(sound(4)), "fast");
    await until(() => store.problems.value.some(({ code }) => code === "model"));
    expect(store.problems.value[0]?.sentence).toBe("The logits are not finite.");
    expect(store.record.decided).toBe(2);
  });
});

describe("branches", () => {
  it("run on from a chunk, beside the session", async () => {
    const { channel, store } = await heard();
    channel.branching.fork({ chunk: 4, force: "TEXT_BEGIN" });
    await until(() => store.branches.value[0]?.told.state === "done");
    const [branch] = store.branches.value;
    expect(branch?.told).toMatchObject({
      chunk: 4,
      changed: "TEXT_BEGIN forced",
      differs_at: 4,
      first_difference: "chunk 4, decision, choice: KEEP_SILENCE → TEXT_BEGIN",
    });
    expect(branch?.record.turns.map(({ text }) => text)).toEqual(["forced"]);
    expect(store.record.turns.length).toBe(1);
    channel.branching.drop(1);
    expect(store.branches.value).toEqual([]);
  });

  it("are at most four, and the oldest gives way with a notice", async () => {
    const { channel, store } = await heard();
    for (let i = 0; i < 5; i++) channel.branching.fork({ chunk: i, audio: "mute" });
    await until(() => store.branches.value.every(({ told }) => told.state === "done"));
    expect(store.branches.value.map(({ told }) => told.branch)).toEqual([2, 3, 4, 5]);
    expect(store.problems.value[0]?.sentence).toContain("Branch 1 (chunk 0) was closed");
  });
});

/** A session that was heard and saved. */
async function savedOnce(script: Script = LOUD) {
  const begun = await heard(script);
  begun.channel.recordings.save("aiw");
  await until(() => begun.saved.length === 1);
  return begun;
}

interface Opened {
  /** What the model decides after the recording. */
  later?: Script;
  header?: (header: Header) => Header;
}

/** A recording of a session, opened in place of another session that has a branch. */
async function opened({ later, header = (same) => same }: Opened = {}) {
  let script = LOUD;
  const begun = await savedOnce((at, samples) => script(at, samples));
  const { channel, store, saved } = begun;
  channel.branching.fork({ chunk: 1, audio: "mute" });
  await until(() => store.branches.value[0]?.told.state === "done");
  script = later ?? LOUD;
  const bytes = new Uint8Array(await new Blob([saved[0]?.blob as Blob]).arrayBuffer());
  const read = await readRecording(bytes, "talk.aiw", async () => new Float32Array(0));
  const lines = new TextEncoder().encode(linesOf(read.events));
  const chunks = async function* () {
    yield read.audio;
  };
  const blob = await writeRecording(header(read.header), [lines], chunks(), true);
  channel.recordings.open(new File([blob], "talk.aiw"));
  await until(() => store.recording.value !== null);
  expect(store.branches.value).toEqual([]);
  return begun;
}

describe("recordings", () => {
  it("that are saved hold every event, the audio and the settings", async () => {
    const { channel, saved, session } = await heard();
    channel.recordings.save("aiw");
    await until(() => saved.length === 1);
    expect(saved[0]?.name).toMatch(/^session-\d{8}-\d{6}\.aiw$/);
    const [{ blob } = { blob: new Blob() }] = saved;
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const recording = await readRecording(bytes, "x.aiw", async () => new Float32Array(0));
    expect(recording.lacks).toEqual([]);
    expect(recording.events).toEqual(JSON.parse(JSON.stringify(session.record)));
    expect(recording.audio.length).toBe(9 * 6400);
    expect(recording.audio[2 * 6400]).toBe(Math.fround(0.9));
    expect(recording.header.settings).toMatchObject({ greedy: false });
    expect(recording.header.sessions).toBe(1);
  });

  it("are shown in place of the session, which is shown again", async () => {
    const { channel, store, saved } = await heard();
    channel.recordings.save("aiw");
    await until(() => saved.length === 1);
    channel.branching.fork({ chunk: 1, audio: "mute" });
    await until(() => store.branches.value[0]?.told.state === "done");
    await channel.reset();
    await channel.playFile(file(sound(1)), "fast");
    await until(() => store.file.value?.state === "ended");
    const decided = store.record.decided;
    channel.recordings.open(new File([saved[0]?.blob as Blob], "talk.aiw"));
    await until(() => store.recording.value !== null);
    expect(store.recording.value).toMatchObject({ name: "talk.aiw" });
    expect(store.record.decided).toBe(9);
    expect(store.record.turns[0]?.text).toBe("Hello.");
    const fetched = await channel.fetchAudio(2);
    expect("sound" in fetched && fetched.sound.samples[0]).toBe(Math.fround(0.9));
    channel.recordings.close();
    expect(store.recording.value).toBeNull();
    expect(store.record.decided).toBe(decided);
  });

  it("give way to new audio", async () => {
    const { channel, store, saved } = await heard();
    channel.recordings.save("aiw");
    await until(() => saved.length === 1);
    channel.recordings.open(new File([saved[0]?.blob as Blob], "talk.aiw"));
    await until(() => store.recording.value !== null);
    await channel.playFile(file(sound(1)), "fast");
    await until(() => store.file.value?.state === "ended");
    expect(store.recording.value).toBeNull();
    expect(store.record.decided).toBe(9 + 4);
  });

  it("are run on from a chunk: heard again until there, then with the change", async () => {
    const { channel, store, engine } = await opened();
    expect(store.recording.value?.refusal).toBeNull();
    channel.branching.fork({ chunk: 4, force: "TEXT_BEGIN" });
    await until(() => store.branches.value[0]?.told.state === "done");
    const [branch] = store.branches.value;
    expect(branch?.told).toMatchObject({ chunk: 4, differs_at: 4, message: "" });
    expect(branch?.record.turns.map(({ text }) => text)).toEqual(["forced"]);
    expect(store.record.turns.map(({ text }) => text)).toEqual(["Hello."]);
    const rerun = engine.sessions.at(-1) as ScriptedSession;
    expect([rerun.chunks, rerun.closed]).toEqual([4, false]);
    channel.branching.fork({ chunk: 7, audio: "mute" });
    await until(() => store.branches.value[1]?.told.state === "done");
    expect([rerun.chunks, engine.sessions.at(-1)]).toEqual([7, rerun]);
    channel.recordings.close();
    expect(store.branches.value.map(({ told }) => told.changed)).toEqual(["muted"]);
    await until(() => rerun.closed);
  });

  it("that this engine decides otherwise are run on with a sentence", async () => {
    const { channel, store } = await opened({ later: () => null });
    channel.branching.fork({ chunk: 4, audio: "mute" });
    await until(() => store.branches.value[0]?.told.state === "done");
    expect(store.branches.value[0]?.told.message).toContain("decides chunk 2 otherwise than the recording");
  });

  it("are heard again no further when the branch is closed", async () => {
    const { channel, store, engine } = await opened();
    let release = () => {};
    const held = new Promise<void>((done) => {
      release = done;
    });
    const rerun = engine.rerun.bind(engine);
    engine.rerun = (recorded) => {
      const session = rerun(recorded);
      const events = session.runOn();
      session.runOn = async function* () {
        for await (const event of events) {
          yield event;
          await held;
        }
      };
      return session;
    };
    channel.branching.fork({ chunk: 8, audio: "mute" });
    await until(() => store.branches.value[0]?.told.message === "the recording is heard again: chunk 0 of 8");
    channel.branching.drop(2);
    release();
    await until(() => engine.sessions.at(-1)?.chunks === 1);
    expect(store.branches.value).toEqual([]);
    channel.branching.fork({ chunk: 0, force: "TEXT_BEGIN" });
    await until(() => store.branches.value[0]?.told.state === "done");
  });

  it("of other weights, and without audio, are not run on, and say why", async () => {
    const other = await opened({
      header: (header) => ({ ...header, model: { name: "large", fingerprint: "f" } }),
    });
    expect(other.store.recording.value?.refusal).toContain(
      "recorded with large, not with the weights of this page",
    );
    other.channel.branching.fork({ chunk: 1, audio: "mute" });
    expect(other.store.branches.value).toEqual([]);
    const silent = await opened({ header: (header) => ({ ...header, first_chunk: 3 }) });
    expect(silent.store.recording.value?.refusal).toContain("has no audio of chunk 0");
  });

  it("that are opened while a branch of the session runs do not lose its events", async () => {
    const { channel, store, saved } = await savedOnce();
    channel.branching.fork({ chunk: 0, force: "TEXT_BEGIN" });
    channel.recordings.open(new File([saved[0]?.blob as Blob], "talk.aiw"));
    await until(() => store.recording.value !== null);
    channel.recordings.close();
    await until(() => store.branches.value[0]?.told.state === "done");
    expect(store.branches.value[0]?.record.decided).toBe(9);
  });

  it("that are none are refused with a sentence, and what was shown stays", async () => {
    const { channel, store } = await heard();
    channel.recordings.open(new File(["no zip"], "notes.aiw"));
    await until(() => store.problems.value.length > 0);
    expect(store.problems.value[0]?.sentence).toContain("notes.aiw is not a recording of ai_widgets");
    expect(store.record.decided).toBe(9);
  });
});
