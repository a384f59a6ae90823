// @vitest-environment happy-dom
/** Branches: what starts one, their lanes, and their replies beside the original's. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { BranchLanes } from "../src/branches/branch-lanes";
import { BRANCH_HEIGHT, paintBranch } from "../src/branches/branch-picture";
import { RecordChannel, readHeader } from "../src/channel/record-channel";
import { Inspector } from "../src/panels/inspector";
import { ReplayBar } from "../src/panels/replay-bar";
import { Transcript } from "../src/panels/transcript";
import { differences, differsAt, replyPairs } from "../src/record/branch-difference";
import type { Rule, SessionEvent } from "../src/record/events";
import { applyEvent, emptyRecord, type SessionRecord } from "../src/record/record";
import { changedSettings, NO_CHANGE } from "../src/record/what-if";
import { NOTHING_HIDDEN } from "../src/store/hidden";
import { layoutOf } from "../src/timeline/layout";
import { createView, type SessionView } from "../src/view";
import { FakeCanvas, frameOf, stubDrawing } from "./fake-canvas";
import { chunk, decision, token, turn } from "./fakes";
import { recording } from "./recording";
import { drawn, showPanel } from "./view";

const RULE: Rule = { greedy: true, temperature: 1, top_k: null, top_p: 1, bias: 0.5, mask: true, seed: 0 };

/** Chunks that are silent, or are answered with a text. */
function story(from: number, replies: readonly (string | null)[]): SessionEvent[] {
  return replies.flatMap((text, i) => {
    const at = { chunk: from + i };
    const spoke = text === null ? {} : ({ choice: "TEXT_BEGIN", p_text: 0.8 } as const);
    const events: SessionEvent[] = [chunk(from + i), decision(from + i, { rule: RULE, ...spoke })];
    return text === null ? events : [...events, token(from + i, 0, text, at), turn(from + i, text, at)];
  });
}

function recordOf(from: number, replies: readonly (string | null)[]): SessionRecord {
  const record = emptyRecord();
  for (const event of story(from, replies)) applyEvent(record, event);
  return record;
}

const ORIGINAL = [null, "yes", null, "good", "same"];
const OTHER = ["oh", null, "fine", "same"];
const told = (more: object = {}) => ({
  ...{ type: "branch", branch: 1, request: 0, chunk: 1, until: null, changed: "bias 2", state: "queued" },
  ...{ first_difference: "", differs_at: null, message: "" },
  ...more,
});

/** A widget whose kernel has told of a branch from chunk 1 on. */
async function branched() {
  const made = await recording();
  made.model.events(0, story(0, ORIGINAL));
  made.model.say(told());
  made.model.say({ type: "branch_events", branch: 1, first: 0, events: story(1, OTHER) });
  return made;
}

describe("what differs", () => {
  const [original, branch] = [recordOf(0, ORIGINAL), recordOf(1, OTHER)];

  it("is a decision, or the reply to the same decision", () => {
    expect([1, 2, 3, 4].map((at) => differsAt(original, branch, at))).toEqual(["reply", null, "reply", null]);
    expect(differsAt(recordOf(0, [null]), recordOf(0, ["a"]), 0)).toBe("decision");
    expect(differences(original, branch, 1)).toEqual([1, 3]);
  });

  it("is never a chunk that only one of them has decided", () => {
    expect(differsAt(original, branch, 0)).toBeNull();
    expect(differsAt(recordOf(0, [null]), recordOf(0, ["a", "b"]), 1)).toBeNull();
  });

  it("pairs the replies, with silence where one has none", () => {
    expect(replyPairs(recordOf(0, [null, "a", "b"]), recordOf(0, ["x", null, "b"]), 0)).toEqual([
      { chunk: 0, original: null, branch: "x" },
      { chunk: 1, original: "a", branch: null },
    ]);
  });
});

describe("what the kernel tells of branches", () => {
  it("is kept by branch, beside the session's record", async () => {
    const { store } = await branched();
    const [branch] = store.branches.value;
    expect(branch?.record.decisions.choiceOf(1)).toBe("TEXT_BEGIN");
    expect(branch?.record.decisions.has(0)).toBe(false);
    expect(store.record.turns.map(({ text }) => text)).toEqual(["yes", "good", "same"]);
  });

  it("may come twice, and is asked for again where a part is missing", async () => {
    const { model, store } = await branched();
    const before = store.branches.value[0]?.record.count;
    model.say({ type: "branch_events", branch: 1, first: 0, events: story(1, OTHER) });
    expect(store.branches.value[0]?.record.count).toBe(before);
    const hellos = model.of("hello").length;
    model.say({ type: "branch_events", branch: 1, first: 99, events: story(9, [null]) });
    expect(model.of("hello").length).toBe(hellos + 1);
  });

  it("ends with a drop, a new session, and is told anew after a welcome", async () => {
    const { model, store } = await branched();
    model.say(told({ state: "done" }));
    expect(store.branches.value[0]?.told.state).toBe("done");
    model.welcome();
    expect(store.branches.value).toEqual([]);
    model.say(told({ branch: 2 }));
    model.say(told({ branch: 2, state: "dropped" }));
    expect(store.branches.value).toEqual([]);
    model.say(told({ branch: 3 }));
    model.say({ type: "reset", session: 2 });
    expect(store.branches.value).toEqual([]);
  });
});

describe("run on from here", () => {
  const inspect = async () => {
    const { model, conversation } = await recording();
    model.events(0, story(0, ORIGINAL));
    const view = createView(conversation);
    view.selected.value = 2;
    return { ...(await showPanel(() => <Inspector view={view} />)), model, view };
  };

  it("forces a decision, or mutes the chunk", async () => {
    const { find, model } = await inspect();
    for (const name of ["speak", "silent", "mute"]) find(`run-on-${name}`).click();
    const asked = model.of("fork").map(({ chunk, until, span, settings, force, audio }) => {
      return { chunk, until, span, settings, force, audio };
    });
    const bare = { chunk: 2, until: null, span: 1, settings: {}, force: "", audio: "" };
    expect(asked).toEqual([
      { ...bare, force: "TEXT_BEGIN" },
      { ...bare, force: "KEEP_SILENCE" },
      { ...bare, audio: "mute" },
    ]);
  });

  it("takes the what-if panel's values, once there are some", async () => {
    const { find, model, view } = await inspect();
    expect((find("run-on-what-if") as HTMLButtonElement).disabled).toBe(true);
    view.whatIf.value = { ...NO_CHANGE, bias: 2, mask: false };
    await drawn();
    expect(find("run-on-what-if").textContent).toBe("with bias 2, mask false");
    find("run-on-what-if").click();
    expect(model.of("fork")[0]?.settings).toEqual({ bias: 2, mask: false });
  });

  it("says what the branches decided there", async () => {
    const { find, model } = await inspect();
    expect(find("run-on-here")).toBeNull();
    model.say(told());
    model.say({ type: "branch_events", branch: 1, first: 0, events: story(1, OTHER) });
    await drawn();
    expect(find("run-on-here").textContent).toContain("branch 1: silent");
  });

  it("is not offered by a page without a kernel", async () => {
    const channel = new RecordChannel(
      readHeader({ format: 1 }),
      { events: story(0, ORIGINAL), mels: new Map() },
      null,
    );
    const view = createView(channel);
    view.selected.value = 2;
    view.channel.replay.select({ from_s: 0.4, to_s: 1.2 });
    const shown = await showPanel(() => (
      <>
        <Inspector view={view} />
        <ReplayBar view={view} />
      </>
    ));
    expect(shown.find("replay-span")).not.toBeNull();
    expect(shown.find("run-on")).toBeNull();
    expect(shown.find("run-again")).toBeNull();
  });
});

it("a threshold is greedy with a smaller bias, as a session takes it", () => {
  const settings = changedSettings(RULE, { ...NO_CHANGE, threshold: 0.3 });
  expect(settings).toEqual({ greedy: true, bias: 0.5 - Math.log(0.3 / 0.7) });
});

it("a selected span is run again, from its first chunk to its last", async () => {
  const { model, conversation } = await branched();
  await conversation.stop();
  const view = createView(conversation);
  conversation.replay.select({ from_s: 0.4, to_s: 1.6 });
  view.whatIf.value = { ...NO_CHANGE, temperature: 2 };
  const shown = await showPanel(() => <ReplayBar view={view} />);
  shown.find("run-again").click();
  expect(model.of("fork")).toMatchObject([{ chunk: 1, until: 3, settings: { temperature: 2 } }]);
});

describe("the transcript", () => {
  it("has the replies that differ beside each other, as text", async () => {
    const { model, conversation } = await branched();
    const hostile = "<img src=x onerror=alert(1)>";
    model.say(told({ branch: 2, chunk: 3, changed: hostile }));
    model.say({ type: "branch_events", branch: 2, first: 0, events: story(3, [hostile]) });
    const shown = await showPanel(() => <Transcript view={createView(conversation)} />);
    const rows = shown.all("[data-branch='1'] tbody tr").map((row) => row.textContent);
    expect(rows).toEqual(["0:00.4yesoh", "0:01.2goodfine"]);
    expect(shown.all("[data-branch='2'] td").map((cell) => cell.textContent)).toEqual(["good", hostile]);
    expect(shown.all("img")).toEqual([]);
  });

  it("has nothing of the kind without branches", async () => {
    const shown = await showPanel((view) => <Transcript view={view} />, story(0, ORIGINAL));
    expect(shown.find("compare")).toBeNull();
  });
});

describe("the lanes", () => {
  afterEach(() => vi.unstubAllGlobals());

  const lanesOf = async (view: SessionView) => {
    const timeline = { paintAlong: () => () => {}, invalidate: () => {} } as never;
    return await showPanel(() => <BranchLanes view={view} timeline={timeline} />);
  };

  it("say what was changed and how many chunks differ, lead from one to the next, and can be closed", async () => {
    const { model, conversation } = await branched();
    const view = createView(conversation);
    const went: number[] = [];
    view.showChunk = (at) => {
      went.push(at);
      view.selected.value = at;
    };
    const shown = await lanesOf(view);
    expect(shown.find("branch").getAttribute("aria-label")).toBe("Branch 1 from chunk 1: bias 2");
    expect(shown.find("branch-said").textContent).toBe(
      "waiting for its turn · 2 chunks differ, first 1: another reply",
    );
    shown.find("branch-next").click();
    await drawn();
    shown.find("branch-next").click();
    expect(went).toEqual([1, 3]);
    shown.find("branch-close").click();
    expect(model.of("drop_branch")).toEqual([{ type: "drop_branch", branch: 1 }]);
  });

  it("do not tell what step mode hides", async () => {
    const { conversation } = await branched();
    const view = createView(conversation);
    view.hiddenFrom.value = { decision: 1, reply: 1 };
    const shown = await lanesOf(view);
    expect(shown.find("branch-said").textContent).toBe("waiting for its turn");
  });

  it("say that nothing differs, or what failed", async () => {
    const { model, conversation } = await recording();
    model.events(0, story(0, [null, null]));
    model.say(told({ state: "done" }));
    model.say({ type: "branch_events", branch: 1, first: 0, events: story(1, [null]) });
    model.say(told({ branch: 2, state: "failed", message: "Out of reach." }));
    const shown = await lanesOf(createView(conversation));
    expect(shown.all("[data-testid='branch-said']").map((line) => line.textContent)).toEqual([
      "the same decisions and replies",
      "failed · Out of reach.",
    ]);
  });

  it("are none without branches", async () => {
    const { conversation } = await recording();
    const shown = await lanesOf(createView(conversation));
    expect(shown.el.textContent).toBe("");
  });

  it("draw nothing before the fork, and a diamond at each chunk that differs", () => {
    stubDrawing();
    const canvas = new FakeCanvas();
    const [original, record] = [recordOf(0, ORIGINAL), recordOf(1, OTHER)];
    const { axis, palette, patterns } = frameOf(original, 0, 4, canvas);
    const scene = { record: original, axis, palette, patterns, scale: 1 };
    const shown = { layout: layoutOf(new Set()), hidden: NOTHING_HIDDEN };
    paintBranch(canvas.context, { ...scene, ...shown }, { chunk: 1, record });
    const fork = (0.4 / 4) * 800;
    const clips = canvas.named("rect").filter(({ args }) => Number(args[3]) > 25 && Number(args[2]) > 400);
    expect(clips.map(({ args }) => args[0])).toEqual([fork, fork, fork]);
    const diamonds = canvas.named("moveTo").filter(({ args }) => Number(args[1]) < 4);
    expect(diamonds.map(({ args }) => args[0])).toEqual([fork + 40, fork + 200]);
    expect(canvas.named("clearRect")[0]?.args).toEqual([0, 0, 800, BRANCH_HEIGHT]);
  });
});
