// @vitest-environment happy-dom
/** Recordings in the page: saved part by part, opened by choice or drop, shown apart from the session, replayed. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Recordings } from "../src/channel/recordings";
import { SLOW_MS } from "../src/channel/saving";
import { sizeText } from "../src/panels/recording-bars";
import { readRecording, readReplayed } from "../src/store/recording";
import { createStore } from "../src/store/store";
import { chunk, decision, turn } from "./fakes";
import { clearPage, drawn, show, stubMicrophone } from "./shown-widget";

const SHOWN = {
  ...{ type: "recording", state: "shown", name: "talk.aiw", done: 0, total: 0 },
  ...{ facts: ["tiny", "cpu"], tokens: { KEEP_SILENCE: 7 }, prefix: [], block: [], limit: 9 },
};
const NONE = { ...SHOWN, state: "none", name: "", facts: [], tokens: {} };
const replayed = (state: string, more: object = {}) => ({
  ...{ type: "replayed", state, done: 2, total: 4, chunk: -1, message: "" },
  ...more,
});

beforeEach(() => {
  sessionStorage.clear();
  stubMicrophone();
});
afterEach(() => {
  vi.useRealTimers();
  clearPage();
});

/** A widget whose kernel has answered and told of a chunk. */
async function talking() {
  const shown = show();
  shown.model.welcome();
  shown.model.events(0, [chunk(0), decision(0), chunk(1), decision(1)]);
  await drawn();
  return { ...shown, page: String(shown.model.of("hello")[0]?.page) };
}

function saving(deliver = vi.fn()) {
  const store = createStore();
  const posted: { type: string; [field: string]: unknown }[] = [];
  const recordings = new Recordings(store, {
    page: "p",
    post: (message) => posted.push({ ...message }),
    nextStream: () => 3,
    deliver,
  });
  recordings.save("aiw");
  const request = Number(posted[0]?.request);
  const saved = (more: object = {}) =>
    recordings.saved({
      ...{ type: "saved", request, page: "p", name: "tiny.aiw", size: 5, note: "", problem: "" },
      ...more,
    } as never);
  const part = (offset: number, bytes: number[], more: object = {}) =>
    recordings.part({ type: "part", request, page: "p", offset, ok: true, ...more } as never, [
      Uint8Array.from(bytes),
    ]);
  return { store, posted, recordings, request, saved, part, deliver };
}

describe("saving", () => {
  it("takes one part after the other and hands over the whole under the kernel's name", async () => {
    const { store, posted, request, saved, part, deliver } = saving();
    saved();
    part(0, [1, 2, 3]);
    expect(store.saving.value).toMatchObject({ name: "tiny.aiw", done: 3, total: 5 });
    part(3, [4, 5]);
    expect(posted.map(({ type, offset }) => [type, offset])).toEqual([
      ["save", undefined],
      ["part", 0],
      ["part", 3],
      ["release", undefined],
    ]);
    expect(new Set(posted.map((message) => message.request))).toEqual(new Set([request]));
    const [file, name] = deliver.mock.calls[0] as [Blob, string];
    expect([name, file.size, [...new Uint8Array(await file.arrayBuffer())]]).toEqual([
      "tiny.aiw",
      5,
      [1, 2, 3, 4, 5],
    ]);
    expect(store.saving.value).toBeNull();
  });

  it("takes base64 from a host that drops buffers", () => {
    const { saved, recordings, request, deliver } = saving();
    saved({ size: 2 });
    recordings.part({ type: "part", request, page: "p", offset: 0, ok: true, data: btoa("PK") }, []);
    expect(deliver).toHaveBeenCalledOnce();
  });

  it("takes no part twice, and none of another page or request", () => {
    const { store, saved, part } = saving();
    saved();
    part(0, [1]);
    part(0, [1]);
    part(1, [9], { page: "two" });
    part(1, [9], { request: 1 });
    expect(store.saving.value?.done).toBe(1);
  });

  it("asks again for a part that does not come, and says that the kernel may be busy", () => {
    vi.useFakeTimers();
    const { store, posted, saved, part } = saving();
    vi.advanceTimersByTime(SLOW_MS);
    expect(store.saving.value?.slow).toBe(true);
    saved();
    vi.advanceTimersByTime(SLOW_MS);
    expect(posted.filter(({ type }) => type === "part")).toHaveLength(2);
    part(0, [1]);
    expect(store.saving.value?.slow).toBe(false);
  });

  it("shows the kernel's sentence where there is no file, and what a file lacks", () => {
    const refused = saving();
    refused.saved({ problem: "There is nothing to save yet." });
    expect(refused.store.problems.value[0]?.sentence).toBe("There is nothing to save yet.");
    expect(refused.store.saving.value).toBeNull();
    const { store, saved } = saving();
    saved({ note: "The audio before 1:00.0 is no longer kept." });
    expect(store.problems.value[0]).toMatchObject({ code: "save", calm: true });
  });

  it("ends with the file that the kernel removed, with the person and with the kernel", () => {
    const gone = saving();
    gone.saved();
    gone.part(0, [], { ok: false });
    expect(gone.store.problems.value[0]?.sentence).toContain("no longer holds");
    const cancelled = saving();
    cancelled.recordings.cancelSaving();
    expect(cancelled.posted.at(-1)?.type).toBe("release");
    const lost = saving();
    lost.recordings.end();
    expect([cancelled.store.saving.value, lost.store.saving.value]).toEqual([null, null]);
  });

  it("offers both formats from the toolbar once there is something, and shows progress", async () => {
    const { model, button, find, page } = await talking();
    expect(button("save").disabled).toBe(false);
    button("save").click();
    await drawn();
    expect(button("save").getAttribute("aria-expanded")).toBe("true");
    expect(document.getElementById(String(button("save").getAttribute("aria-controls")))).not.toBeNull();
    button("save-html").click();
    await drawn();
    const asked = model.of("save")[0];
    expect(asked).toMatchObject({ format: "html", page });
    expect(find("saving").textContent).toContain("the kernel writes the file");
    model.say({
      type: "saved",
      request: asked?.request,
      page,
      name: "a.html",
      size: 3e6,
      note: "",
      problem: "",
    });
    await drawn();
    expect(find("saving").textContent).toContain("0.0 of 3.0 MB");
    button("saving-end").click();
    await drawn();
    expect(find("saving")).toBeNull();
  });

  it("is not offered while there is nothing to save, and offered with the first chunk", async () => {
    const { model, button } = show();
    model.welcome();
    await drawn();
    expect([button("save").disabled, button("save").title]).toEqual([true, "There is nothing to save yet"]);
    model.events(0, [chunk(0)]);
    await drawn();
    expect(button("save").disabled).toBe(false);
  });
});

function drop(el: HTMLElement, ...files: File[]): void {
  const target = el.querySelector(".aiw") as HTMLElement;
  for (const type of ["dragover", "drop"]) {
    const event = new Event(type, { bubbles: true, cancelable: true });
    Object.assign(event, { dataTransfer: { types: ["Files"], files } });
    target.dispatchEvent(event);
  }
}

describe("opening", () => {
  it("pulls a dropped recording by ranges and plays any other file", async () => {
    const { model, el, page } = await talking();
    drop(el, new File(["PK-recording"], "Talk.AIW"));
    expect(model.of("load")).toEqual([{ type: "load", stream: 1, name: "Talk.AIW", size: 12, page }]);
    expect(model.of("play")).toEqual([]);
    model.say({ type: "need", stream: 1, offset: 3, length: 4, page });
    await vi.waitFor(() => expect(model.of("bytes")).toHaveLength(1));
    expect(model.of("bytes")[0]).toMatchObject({ stream: 1, offset: 3, problem: "" });
    model.say({ ...SHOWN, state: "loading", done: 6, total: 12 });
    model.say(NONE);
    drop(el, new File(["RIFF"], "talk.wav"));
    await vi.waitFor(() => expect(model.of("play")[0]).toMatchObject({ stream: 2, name: "talk.wav" }));
  });

  it("takes the first of several files and says so", async () => {
    const { model, el } = await talking();
    drop(el, new File(["PK"], "one.aiw"), new File(["PK"], "two.aiw"));
    await drawn();
    expect(model.of("load")).toHaveLength(1);
    expect(el.textContent).toContain("Only one.aiw was taken");
  });

  it("is chosen with the same button as audio, by keyboard too", async () => {
    const { model, button, find } = await talking();
    expect(button("file").tagName).toBe("BUTTON");
    const input = find<HTMLInputElement>("file-input");
    expect(input.accept.split(",")).toContain(".aiw");
    Object.defineProperty(input, "files", { value: [new File(["PK"], "talk.aiw")] });
    input.dispatchEvent(new Event("change", { bubbles: true }));
    expect(model.of("load")).toHaveLength(1);
  });

  it("shows that a file may be dropped, and no longer once it was", async () => {
    const { el } = await talking();
    const root = el.querySelector(".aiw") as HTMLElement;
    const over = new Event("dragover", { bubbles: true, cancelable: true });
    Object.assign(over, { dataTransfer: { types: ["Files"], files: [] } });
    root.dispatchEvent(over);
    await drawn();
    expect(root.dataset.dropping).toBe("true");
    drop(el, new File(["PK"], "talk.aiw"));
    await drawn();
    expect(root.dataset.dropping).toBe("false");
  });

  it("is refused with a sentence while audio is recorded, and without a kernel", async () => {
    const { model, el, button, find } = await talking();
    button("record").click();
    await drawn();
    drop(el, new File(["PK"], "talk.aiw"));
    await drawn();
    expect(model.of("load")).toEqual([]);
    expect(find("problem").textContent).toContain("Press Stop");
    model.emit("comm:close");
    drop(el, new File(["PK"], "other.aiw"));
    await drawn();
    expect(el.textContent).toContain("other.aiw cannot be opened, since no kernel answers.");
  });

  it("shows the recording's events, name and tokens until it is closed", async () => {
    const { model, button, find, el } = await talking();
    model.welcome({ tokens: { KEEP_SILENCE: 2 }, prefix: [], block: [], limit: 5 });
    model.say(SHOWN);
    model.say({ type: "reset", session: 2, first: 0 });
    model.events(0, [chunk(0), decision(0), turn(0, "It said this.")], { session: 2 });
    await drawn();
    const root = el.querySelector(".aiw") as HTMLElement;
    expect([root.dataset.recording, root.dataset.turns]).toEqual(["true", "1"]);
    expect(find("recording").textContent).toContain("talk.aiw");
    expect(find("recording").textContent).toContain("Recording · tiny · cpu");
    button("recording-close").click();
    expect(model.of("unload")).toHaveLength(1);
    model.say(NONE);
    await drawn();
    expect(find("recording")).toBeNull();
  });

  it("begins at the newest part of a very long recording", async () => {
    const { model, el } = await talking();
    model.say(SHOWN);
    model.say({ type: "reset", session: 2, first: 700 });
    const hellos = model.of("hello").length;
    model.events(700, [chunk(90), decision(90)], { session: 2 });
    await drawn();
    expect(model.of("hello")).toHaveLength(hellos);
    expect((el.querySelector(".aiw") as HTMLElement).dataset.decisions).not.toBe("0");
  });
});

describe("the badge", () => {
  it("says reproduced, and runs only when it is pressed", async () => {
    const { model, button, find, page } = await talking();
    expect(find("badge")).toBeNull();
    button("check-start").click();
    expect(model.of("replay")).toEqual([{ type: "replay", action: "start", page }]);
    model.say(replayed("running"));
    await drawn();
    expect(button("check-start").textContent).toBe("Cancel");
    button("check-start").click();
    expect(model.of("replay").at(-1)?.action).toBe("cancel");
    model.say(replayed("reproduced", { message: "8 decisions, tokens and replies are the same" }));
    await drawn();
    expect([find("badge").dataset.badge, find("badge-text").textContent]).toEqual([
      "reproduced",
      "8 decisions, tokens and replies are the same",
    ]);
    model.say(replayed("none"));
    await drawn();
    expect(find("badge")).toBeNull();
  });

  it("names where and by how much it differs, and selects that chunk", async () => {
    const { model, find } = await talking();
    model.say(replayed("differs", { chunk: 1, message: "decision, p_text: 0.1 → 0.3 (by 0.2)" }));
    await drawn();
    expect(find("check").textContent).toContain("first at chunk 1: decision, p_text: 0.1 → 0.3 (by 0.2)");
    find("badge-chunk").click();
    await drawn();
    expect(find("inspector").dataset.chunk).toBe("1");
  });
});

it("what a kernel of another version leaves out is nothing", () => {
  expect(readRecording(undefined)).toEqual({ shown: null, opening: null });
  expect(readRecording({ state: "shown" }).shown).toEqual({
    ...{ name: "", facts: [], vocabulary: null },
    // A kernel offers no branches of a recording.
    refusal: "",
  });
  expect(readReplayed({ state: "none" })).toBeNull();
  expect(readReplayed(7)).toBeNull();
});

it("sizes have a digit where they are small", () => {
  expect([sizeText(120_000, 2_500_000), sizeText(1.2e7, 3e7)]).toEqual(["0.1 of 2.5 MB", "12 of 30 MB"]);
});
