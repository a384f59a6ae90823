/** A channel that records from a fake microphone, for tests of what is sent and shown meanwhile. */
import { Conversation } from "../src/conversation";
import { type LiveSettings, UNTOLD_LIVE } from "../src/store/settings";
import { FakeMicrophone, FakeModel } from "./fakes";

export const LOUD = () => new Float32Array(4800).fill(0.5);

export async function recording(live: Partial<LiveSettings> = {}, microphone = new FakeMicrophone()) {
  const model = new FakeModel();
  model.traits = { live: { ...UNTOLD_LIVE, ...live }, settings: { bias: 0 } };
  const conversation = new Conversation(model, { captureHost: microphone.host });
  conversation.start();
  model.welcome();
  await conversation.record();
  microphone.hear(LOUD());
  const codes = () => conversation.store.problems.value.map(({ code }) => code);
  const blocks = () =>
    model.sent
      .filter(({ content }) => content.type === "block")
      .map(({ content, buffers }) => ({
        gated: content.gated,
        peak: Math.max(...new Float32Array(buffers?.[0] ?? new ArrayBuffer(4))),
      }));
  return { model, microphone, conversation, store: conversation.store, codes, blocks };
}
