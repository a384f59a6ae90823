// @vitest-environment happy-dom
/** A file that the page plays: it answers for ranges, and shows what the kernel says of its position. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { base64 } from "../src/channel/payload";
import { Conversation } from "../src/conversation";
import { FileBar, positionText, speedText } from "../src/panels/file-bar";
import { Clock } from "../src/panels/status";
import { announced, type PlayingFile, readPlaying } from "../src/store/playing";
import { FakeMicrophone, FakeModel } from "./fakes";
import { show } from "./shown-widget";
import { showPanel } from "./view";

const BYTES = Uint8Array.from({ length: 1000 }, (_, place) => place % 251);

/** A file that counts what of it is read, and never gives it as a whole. */
class CountedFile extends File {
  slices: [number, number][] = [];
  override slice(start = 0, end = 0): Blob {
    this.slices.push([start, end]);
    return super.slice(start, end);
  }
  override arrayBuffer(): Promise<ArrayBuffer> {
    throw new Error("A file is never read as a whole.");
  }
}

function begin() {
  const model = new FakeModel();
  const microphone = new FakeMicrophone();
  const conversation = new Conversation(model, { captureHost: microphone.host });
  conversation.start();
  model.welcome();
  const { store } = conversation;
  const page = String(model.of("hello")[0]?.page);
  const file = new CountedFile([BYTES], "talk.mp3");
  const need = async (offset: number, length: number, more: object = {}) => {
    model.say({ type: "need", stream: 1, offset, length, page, ...more });
    await vi.waitFor(() => expect(model.of("bytes").length).toBeGreaterThan(0));
  };
  return { model, microphone, conversation, store, page, file, need };
}

const told = (more: Partial<PlayingFile> = {}) => ({
  ...{ type: "playing", name: "talk.mp3", page: "", state: "playing", pace: "fast" },
  ...{ position_s: 754.2, seconds: 3600, speed: 23.4, left_s: 121.6, ...more },
});

beforeEach(() => {
  sessionStorage.clear();
});
afterEach(() => {
  vi.unstubAllGlobals();
});

describe("a file of this page", () => {
  it("is announced by name and size, and not read before the kernel asks", async () => {
    const { model, conversation, store, page, file } = begin();
    await conversation.playFile(file, "realtime");
    expect(model.of("play")).toEqual([
      { type: "play", stream: 1, name: "talk.mp3", size: 1000, pace: "realtime", tail_s: 1, page },
    ]);
    expect(file.slices).toEqual([]);
    expect(store.file.value).toMatchObject({ name: "talk.mp3", state: "opening" });
    expect(store.shown.value).toBe("asking");
  });

  it("answers with exactly the range that the kernel needs", async () => {
    const { model, conversation, file, need, page } = begin();
    await conversation.playFile(file, "fast");
    await need(500, 200);
    expect(file.slices).toEqual([[500, 700]]);
    const sent = model.sent.find(({ content }) => content.type === "bytes");
    expect(sent?.content).toEqual({ type: "bytes", stream: 1, offset: 500, problem: "", page });
    expect(new Uint8Array(sent?.buffers?.[0] as ArrayBuffer)).toEqual(BYTES.slice(500, 700));
  });

  it("travels as base64 where the host drops buffers", async () => {
    const { model, conversation, file, need } = begin();
    model.welcome({ binary: false });
    await conversation.playFile(file, "fast");
    await need(0, 100);
    expect(model.of("bytes")[0]?.data).toBe(base64(BYTES.slice(0, 100).buffer));
  });

  it("says why where the browser cannot read it any more", async () => {
    const { model, conversation, file, need } = begin();
    await conversation.playFile(file, "fast");
    file.slice = () =>
      ({ arrayBuffer: () => Promise.reject(new DOMException("gone", "NotReadableError")) }) as never;
    await need(0, 100);
    expect(model.of("bytes")[0]).toMatchObject({ offset: 0, problem: "NotReadableError" });
  });

  it("answers neither for another page nor for another file", async () => {
    const { model, conversation, file } = begin();
    await conversation.playFile(file, "fast");
    model.say({ type: "need", stream: 1, offset: 0, length: 10, page: "another" });
    model.say({ type: "need", stream: 2, offset: 0, length: 10, page: "" });
    await new Promise((resolve) => setTimeout(resolve));
    expect(file.slices).toEqual([]);
  });

  it("is stopped by the button that stops the microphone, and answers no more", async () => {
    const { model, conversation, file, store, page } = begin();
    await conversation.playFile(file, "fast");
    model.say(told({ page }));
    expect(conversation.running).toBe(true);
    await conversation.stop();
    expect(model.of("file")).toEqual([{ type: "file", action: "stop", reason: "stopped", page }]);
    expect(conversation.running).toBe(false);
    expect(store.file.value?.state).toBe("stopped");
    model.say({ type: "need", stream: 1, offset: 0, length: 10, page });
    await new Promise((resolve) => setTimeout(resolve));
    expect(file.slices).toEqual([]);
  });

  it("stops the microphone first, and what played before", async () => {
    const { model, microphone, conversation, file } = begin();
    await conversation.record();
    microphone.hear();
    await conversation.playFile(file, "fast");
    expect(microphone.live()).toBe(0);
    await conversation.playFile(file, "fast");
    expect(model.types().filter((type) => ["close", "play", "file"].includes(type))).toEqual([
      "close",
      "play",
      "file",
      "play",
    ]);
    expect(model.of("play").map(({ stream }) => stream)).toEqual([2, 3]);
  });

  it("ends with the page, which says so again when it is loaded anew", async () => {
    const { model, conversation, file, page } = begin();
    await conversation.playFile(file, "fast");
    conversation.end();
    const last = { type: "file", action: "stop", reason: "view_removed", page };
    expect(model.of("file")).toEqual([last]);
    const again = new FakeModel();
    new Conversation(again, { captureHost: new FakeMicrophone().host }).start();
    again.welcome();
    expect(again.of("file")).toEqual([last]);
  });

  it("is over when the kernel is lost", async () => {
    const { model, conversation, file, store } = begin();
    await conversation.playFile(file, "fast");
    model.emit("comm:close");
    expect(store.file.value).toBeNull();
    expect(store.shown.value).toBe("error");
  });

  it("pauses and goes on where the person says so", async () => {
    const { model, conversation, file, store, page } = begin();
    await conversation.playFile(file, "fast");
    conversation.pause(true);
    model.say(told({ page, state: "paused" }));
    expect(store.shown.value).toBe("paused");
    conversation.pause(false);
    expect(model.of("file").map(({ action }) => action)).toEqual(["pause", "resume"]);
  });
});

describe("a file that the kernel reads, or another page holds", () => {
  it("is shown, and may be stopped by a person", async () => {
    const { model, conversation, store, page } = begin();
    model.say(told());
    expect(store.shown.value).toBe("listening");
    await conversation.stop();
    expect(model.of("file")).toEqual([{ type: "file", action: "stop", reason: "stopped", page }]);
  });

  it("does not end with this page", () => {
    const { model, conversation } = begin();
    model.say(told({ page: "another" }));
    conversation.end();
    expect(model.of("file")).toEqual([]);
  });

  it("is learned of in the welcome", () => {
    const { model, store } = begin();
    model.welcome({ file: told() });
    expect(store.file.value).toMatchObject({ name: "talk.mp3", position_s: 754.2 });
  });

  it("is forgotten with its session", () => {
    const { model, store } = begin();
    model.say(told());
    model.say({ type: "reset", session: 2 });
    expect(store.file.value).toBeNull();
  });

  it("keeps the poll of a host without background messages going", () => {
    vi.useFakeTimers();
    const { model } = begin();
    model.welcome({ pull: true });
    model.say(told());
    vi.advanceTimersByTime(1000);
    expect(model.of("poll")).toHaveLength(4);
    vi.useRealTimers();
  });
});

describe("the line of a file", () => {
  const line = (file: PlayingFile) =>
    showPanel((view) => {
      view.store.file.value = file;
      return <FileBar view={view} />;
    });
  const playing = readPlaying(told()) as PlayingFile;

  it("shows name, position, length, speed and the time left", async () => {
    const { find } = await line(playing);
    expect(find("playing").textContent).toContain("talk.mp3");
    expect(find("file-position").textContent).toBe("12:34 of 1:00:00");
    expect(find("file-left").textContent).toBe("23× · 2:02 left");
    const bar = find("file-progress") as HTMLProgressElement;
    expect(bar.getAttribute("aria-label")).toBe("Position in talk.mp3");
    expect(bar.getAttribute("aria-valuetext")).toBe("12:34 of 1:00:00");
    expect(bar.getAttribute("max")).toBe("3600");
    expect(find("file-end").textContent).toBe("Cancel");
  });

  it("takes the place of what waits and of the lag", async () => {
    const { view, find } = await showPanel((shown) => <Clock store={shown.store} />);
    expect(find("lag")).not.toBeNull();
    view.store.file.value = playing;
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(find("lag")).toBeNull();
    expect(find("waiting")).toBeNull();
    expect(find("dropped")).not.toBeNull();
  });

  it.each<[Partial<PlayingFile>, string]>([
    [{ state: "opening" }, "opening…"],
    [{ seconds: null }, "12:34"],
    [{ state: "paused" }, "paused at 12:34 of 1:00:00"],
    [{ state: "ended", position_s: 3600 }, "finished · 1:00:00"],
    [{ state: "stopped" }, "stopped at 12:34 of 1:00:00"],
    [{ state: "failed" }, "could be read up to 12:34 of 1:00:00"],
    [{ state: "failed", position_s: 0 }, "could not be read"],
  ])("says %o", (more, words) => {
    expect(positionText({ ...playing, ...more })).toBe(words);
  });

  it("says no speed and no time left before they are known", () => {
    expect(speedText({ ...playing, speed: null, left_s: null })).toBe("");
    expect(speedText({ ...playing, speed: 0.84, left_s: null })).toBe("0.8×");
  });

  it("has no part of a length that is not known", async () => {
    const { find } = await line({ ...playing, seconds: null });
    expect(find("file-progress").hasAttribute("value")).toBe(false);
  });

  it("goes when it was read", async () => {
    const { view, find } = await line({ ...playing, state: "ended" });
    expect(find("file-end").textContent).toBe("OK");
    (find("file-end") as HTMLButtonElement).click();
    expect(view.store.file.value).toBeNull();
  });

  it("is not taken from what tells of no file", () => {
    for (const value of [null, {}, { state: "flying" }, "playing"]) expect(readPlaying(value)).toBeNull();
    expect(announced("a", "p").state).toBe("opening");
  });
});

it("a file on its way is no reason to say that the kernel is busy", async () => {
  const { model, find } = show();
  await new Promise((resolve) => setTimeout(resolve, 40));
  model.welcome({ model: { status: "ready", name: "tiny", detail: "" } });
  model.say(told());
  model.events(0, [], { waiting: 12 });
  await new Promise((resolve) => setTimeout(resolve, 40));
  expect(find("model").dataset.busy).toBe("false");
});
