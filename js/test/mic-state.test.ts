import { describe, expect, it } from "vitest";
import { captureProblem, microphoneProblem, policyProblem } from "../src/capture/problems";
import { MIC_IDLE, type MicEvent, type MicState, micReducer } from "../src/store/mic-state";

const ask: MicEvent = { type: "ask" };
const heard = (request: number): MicEvent => ({ type: "heard", request, name: "Desk", degraded: false });
const run = (...events: MicEvent[]): MicState => events.reduce(micReducer, MIC_IDLE);

describe("the microphone's states", () => {
  it("go from idle over asking to listening, only with the first block", () => {
    expect(run().phase).toBe("idle");
    expect(run(ask).phase).toBe("asking");
    expect(run(ask, heard(1))).toMatchObject({ phase: "listening", name: "Desk" });
  });

  it("do not change with every further block", () => {
    const listening = run(ask, heard(1));
    expect(micReducer(listening, heard(1))).toBe(listening);
  });

  it("stop from asking and from listening, and nowhere else", () => {
    expect(run(ask, { type: "stop" }).phase).toBe("stopped");
    expect(run(ask, heard(1), { type: "stop" }).phase).toBe("stopped");
    expect(run({ type: "stop" })).toBe(MIC_IDLE);
  });

  it("ignore whatever belongs to an older request", () => {
    const stopped = run(ask, { type: "stop" });
    expect(micReducer(stopped, heard(1))).toBe(stopped);
    const again = micReducer(stopped, ask);
    const late: MicEvent = { type: "fail", request: 1, problem: captureProblem("denied") };
    expect(micReducer(again, late)).toBe(again);
  });

  it("keep the problem of an error until the next attempt", () => {
    const failed = run(ask, { type: "fail", request: 1, problem: captureProblem("denied") });
    expect(failed).toMatchObject({ phase: "error", problem: { code: "denied" } });
    expect(micReducer(failed, ask)).toMatchObject({ phase: "asking", problem: null });
  });

  it("are paused and resumed, once sound was heard", () => {
    const hold: MicEvent = { type: "pause", paused: true };
    const asking = run(ask);
    expect(micReducer(asking, hold)).toBe(asking);
    const held = run(ask, heard(1), hold);
    expect(held).toMatchObject({ phase: "paused", request: 1 });
    expect(micReducer(held, hold)).toBe(held);
    // A block that was on its way when it was held does not let it go on.
    expect(micReducer(held, heard(1))).toBe(held);
    expect(micReducer(held, { type: "pause", paused: false }).phase).toBe("listening");
    expect(micReducer(held, { type: "stop" }).phase).toBe("stopped");
  });

  it("go on listening while hindered", () => {
    const hindered = run(ask, heard(1), {
      type: "hindered",
      request: 1,
      problem: captureProblem("interrupted"),
    });
    expect(hindered).toMatchObject({ phase: "listening", problem: { code: "interrupted" } });
    expect(micReducer(hindered, { type: "freed", request: 1 }).problem).toBeNull();
  });
});

describe("a refused microphone", () => {
  const refusal = (name: string) => Object.assign(new Error("no"), { name });

  it.each([
    ["NotAllowedError", "denied", "denied"],
    ["NotAllowedError", "prompt", "dismissed"],
    ["NotAllowedError", null, "denied"],
    ["NotFoundError", "granted", "no_device"],
    ["OverconstrainedError", "granted", "no_device"],
    ["NotReadableError", "granted", "device_busy"],
    ["TypeError", null, "unsupported"],
    ["OddError", null, "capture_failed"],
  ])("%s with permission %s is %s", (name, permission, code) => {
    expect(microphoneProblem(refusal(name), permission).code).toBe(code);
  });

  it("by what is around the page is told apart", () => {
    expect(microphoneProblem(refusal("NotAllowedError"), "denied", { by: "host" }).code).toBe("host_policy");
    expect(microphoneProblem(refusal("NotAllowedError"), "denied", { by: "server" }).code).toBe(
      "server_policy",
    );
  });

  it("by VS Code says what to do instead: a clip, a file, an array", () => {
    const problem = policyProblem({ by: "host" });
    expect(problem.sentence).toBe(
      "The program that shows this notebook blocks the microphone (VS Code does).",
    );
    expect(problem.wayOut).toBe(
      "Play a clip or choose a file instead, pass an array to `w.feed(samples, rate)`, or open the notebook in JupyterLab in a browser.",
    );
  });

  it("by a frame names the frame, what shows it and the way out", () => {
    const frame = "The frame “Lab $& notes” (https://lab.example/nb)";
    const problem = policyProblem({
      by: "frame",
      frame,
      embedder: "https://school.example",
    });
    expect(problem.sentence).toBe(
      `${frame} inside https://school.example is not allowed to use the microphone.`,
    );
    expect(problem.wayOut).toMatch(
      /Play a clip or choose a file.*w\.feed.*tab of its own.*allow="microphone" to that frame/,
    );
  });

  it("always has a sentence and a way out of its own", () => {
    const codes = [
      "denied",
      "dismissed",
      "no_device",
      "device_busy",
      "insecure_origin",
      "unsupported",
    ] as const;
    const sentences = codes.map((code) => captureProblem(code));
    expect(new Set(sentences.map(({ sentence }) => sentence)).size).toBe(codes.length);
    expect(new Set(sentences.map(({ wayOut }) => wayOut)).size).toBe(codes.length);
    expect(captureProblem("insecure_origin").wayOut).toMatch(/https|localhost/);
  });
});
