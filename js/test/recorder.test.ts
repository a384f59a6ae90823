import { beforeEach, describe, expect, it, vi } from "vitest";
import { constraintsOf } from "../src/capture/host";
import { type OpenMicrophone, Recorder, type RecorderListener } from "../src/capture/recorder";
import type { Problem } from "../src/store/problem";
import { UNTOLD_LIVE } from "../src/store/settings";
import { FakeMicrophone, settle } from "./fakes";

function listener() {
  const blocks: Float32Array[] = [];
  const problems: Problem[] = [];
  const hindrances: string[] = [];
  const opened: (OpenMicrophone | null)[] = [];
  const told: RecorderListener = {
    opened: (microphone) => opened.push(microphone && { ...microphone }),
    block: ({ samples }) => blocks.push(samples),
    failed: (problem) => problems.push(problem),
    hindered: ({ code }) => hindrances.push(code),
    freed: (code) => hindrances.push(`no longer ${code}`),
  };
  return { told, blocks, problems, hindrances, opened };
}

describe("the recorder", () => {
  beforeEach(() => {
    vi.useRealTimers();
  });

  it("asks for sound as it is", async () => {
    const microphone = new FakeMicrophone();
    await new Recorder(listener().told, microphone.host).start(UNTOLD_LIVE);
    expect(microphone.constraints?.audio).toEqual(constraintsOf(UNTOLD_LIVE));
    expect(microphone.constraints?.audio).toMatchObject({
      echoCancellation: false,
      noiseSuppression: false,
      autoGainControl: false,
    });
  });

  it("hands over blocks, the begun one too when it stops", async () => {
    const microphone = new FakeMicrophone();
    const { told, blocks } = listener();
    const recorder = new Recorder(told, microphone.host);
    await recorder.start(UNTOLD_LIVE);
    microphone.hear();
    microphone.partial = new Float32Array(17);
    const stopped = recorder.stop();
    expect(microphone.live()).toBe(0); // At once, not after the flush.
    await stopped;
    expect(blocks.map((block) => block.length)).toEqual([4800, 17]);
    expect(microphone.contexts[0]?.state).toBe("closed");
    microphone.hear();
    expect(blocks).toHaveLength(2);
  });

  it("leaves no live track when the permission comes after stop", async () => {
    const microphone = new FakeMicrophone(false);
    const { told, problems } = listener();
    const recorder = new Recorder(told, microphone.host);
    const started = recorder.start(UNTOLD_LIVE);
    await recorder.stop();
    microphone.grant();
    await started;
    expect(microphone.tracks).toHaveLength(1);
    expect(microphone.live()).toBe(0);
    expect(problems).toEqual([]);
  });

  it("says nothing of a refusal that comes after stop", async () => {
    const microphone = new FakeMicrophone(false);
    const { told, problems } = listener();
    const recorder = new Recorder(told, microphone.host);
    const started = recorder.start(UNTOLD_LIVE);
    await recorder.stop();
    microphone.refuse("NotAllowedError");
    await started;
    expect(problems).toEqual([]);
  });

  it("leaves no live track when it stops while the audio graph is being built", async () => {
    const microphone = new FakeMicrophone();
    const recorder = new Recorder(listener().told, microphone.host);
    const openTap = microphone.host.openTap;
    microphone.host.openTap = async (context, onBlock) => {
      await recorder.stop();
      return openTap(context, onBlock);
    };
    await recorder.start(UNTOLD_LIVE);
    expect(microphone.live()).toBe(0);
    expect(microphone.contexts[0]?.state).toBe("closed");
  });

  it("tells denied from dismissed", async () => {
    for (const [permission, code] of [
      ["denied", "denied"],
      ["prompt", "dismissed"],
    ]) {
      const microphone = new FakeMicrophone(false);
      microphone.permission = permission as string;
      const { told, problems } = listener();
      const started = new Recorder(told, microphone.host).start(UNTOLD_LIVE);
      microphone.refuse("NotAllowedError");
      await started;
      expect(problems[0]?.code).toBe(code);
    }
  });

  it("names an insecure page before anything else", async () => {
    const microphone = new FakeMicrophone();
    microphone.secure = false;
    microphone.host.devices = undefined;
    const { told, problems } = listener();
    await new Recorder(told, microphone.host).start(UNTOLD_LIVE);
    expect(problems[0]?.code).toBe("insecure_origin");
  });

  it("names a browser without microphone support", async () => {
    const microphone = new FakeMicrophone();
    microphone.host.devices = undefined;
    const { told, problems } = listener();
    await new Recorder(told, microphone.host).start(UNTOLD_LIVE);
    expect(problems[0]?.code).toBe("unsupported");
  });

  it("gives everything back when the audio graph fails", async () => {
    const microphone = new FakeMicrophone();
    microphone.tapFails = true;
    const { told, problems } = listener();
    await new Recorder(told, microphone.host).start(UNTOLD_LIVE);
    expect(problems[0]?.code).toBe("capture_failed");
    expect(microphone.live()).toBe(0);
    expect(microphone.contexts[0]?.state).toBe("closed");
  });

  it("notices an unplugged device", async () => {
    const microphone = new FakeMicrophone();
    const { told, problems } = listener();
    await new Recorder(told, microphone.host).start(UNTOLD_LIVE);
    microphone.permission = "granted";
    microphone.tracks[0]?.unplug();
    await vi.waitFor(() => expect(problems[0]?.code).toBe("track_ended"));
    expect(microphone.contexts[0]?.state).toBe("closed");
  });

  it("tells a permission that was taken back from a device that is gone", async () => {
    const microphone = new FakeMicrophone();
    const { told, problems } = listener();
    await new Recorder(told, microphone.host).start(UNTOLD_LIVE);
    microphone.permission = "denied";
    microphone.tracks[0]?.unplug();
    await vi.waitFor(() => expect(problems[0]?.code).toBe("revoked"));
    expect(microphone.live()).toBe(0);
  });

  it("tries to go on when the system pauses audio", async () => {
    const microphone = new FakeMicrophone();
    const { told, hindrances } = listener();
    await new Recorder(told, microphone.host).start(UNTOLD_LIVE);
    microphone.contexts[0]?.become("interrupted");
    expect(hindrances).toEqual(["interrupted"]);
    expect(microphone.contexts[0]?.resumed).toBe(1);
    microphone.contexts[0]?.become("running");
    expect(hindrances).toEqual(["interrupted", "no longer interrupted"]);
  });

  it("gives up on a microphone that never makes a sound", async () => {
    vi.useFakeTimers();
    const microphone = new FakeMicrophone();
    const { told, problems } = listener();
    await new Recorder(told, microphone.host).start(UNTOLD_LIVE);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(problems[0]?.code).toBe("no_audio");
    expect(microphone.live()).toBe(0);
  });

  it("keeps one microphone however often it is started", async () => {
    const microphone = new FakeMicrophone();
    const recorder = new Recorder(listener().told, microphone.host);
    await recorder.start(UNTOLD_LIVE);
    await recorder.start(UNTOLD_LIVE);
    await settle();
    expect(microphone.live()).toBe(1);
  });
});
