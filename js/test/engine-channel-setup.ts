/** Sessions of the channel to an engine that has a script instead of a model. */
import { expect, vi } from "vitest";
import { EngineChannel, type EngineChannelOptions } from "../src/page/engine-channel";
import { FakeMicrophone } from "./fakes";
import { type Script, ScriptedEngine, type ScriptedSession } from "./scripted-engine";

export const LOUD: Script = (_, samples) => (samples.some((sample) => sample > 0.5) ? ["Hel", "lo."] : null);

export async function begin(script: Script = LOUD, options: Partial<EngineChannelOptions> = {}) {
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
export async function until(found: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(found()).toBe(true));
}

export function sound(chunks: number, value = 0.1): Float32Array<ArrayBuffer> {
  return new Float32Array(6400 * chunks).fill(value);
}

export function file(samples: Float32Array<ArrayBuffer>, name = "talk.wav"): File {
  return new File([samples], name);
}

export async function heard(script: Script = LOUD) {
  const begun = await begin(script);
  const samples = sound(6);
  samples.fill(0.9, 2 * 6400, 3 * 6400);
  await begun.channel.playFile(file(samples), "fast");
  await until(() => begun.store.file.value?.state === "ended");
  return begun;
}
