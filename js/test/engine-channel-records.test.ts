/** Branches and recordings of the channel to an engine in the page. */
import { describe, expect, it } from "vitest";
import { linesOf } from "../src/page/kept-events";
import { readRecording, writeRecording } from "../src/page/recording-file";
import type { Header } from "../src/page/recording-header";
import { file, heard, LOUD, sound, until } from "./engine-channel-setup";
import type { Script, ScriptedSession } from "./scripted-engine";

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
