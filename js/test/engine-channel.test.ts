/** The channel to an engine in the page, driven with an engine that has a script instead of a model. */
import { describe, expect, it, vi } from "vitest";
import { EngineChannel } from "../src/page/engine-channel";
import { begin, file, heard, LOUD, sound, until } from "./engine-channel-setup";
import { FakeMicrophone } from "./fakes";

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
        drop: { ended: "TEXT_END", kinds: ["settings", "dropped"], second: null },
        interrupt: { ended: "interrupted", kinds: ["settings"], second: ["waited"] },
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
