/** The channel of a record in a page: what it shows, what it plays, and what it leaves to a kernel. */
import { expect, it, vi } from "vitest";
import { RecordChannel, readHeader } from "../src/channel/record-channel";
import type { Decision, SessionEvent } from "../src/record/events";
import { createView } from "../src/view";
import { chunk, decision, token, turn } from "./fakes";

const HEADER = {
  format: 1,
  title: "A talk",
  model: "tiny",
  detail: "cpu · float32",
  created: "2026-05-03T10:12:00+00:00",
  summary: "1.2 s heard",
  made_by: "exported by ai_widgets 0.1.0",
  settings: { context: "slide", seed: 3 },
  tokens: { KEEP_SILENCE: 2, TEXT_BEGIN: 1 },
  audio: { type: "audio/mpeg", start_s: 0.4, delay_s: 0.05 },
  notes: ["Something is left out."],
};
const SPOKE = { choice: "TEXT_BEGIN", token: 1 } as const;
const EVENTS: SessionEvent[] = [chunk(0), decision(0), chunk(1), decision(1, SPOKE), chunk(2), decision(2)];
const AUDIO = new Blob(["sound"]);
const sound = { rate: 1000, samples: Float32Array.from({ length: 850 }, (_, i) => i) };

function channelOf(options: { audio?: Blob | null; events?: SessionEvent[]; header?: object } = {}) {
  const { audio = AUDIO, events = EVENTS, header = HEADER } = options;
  return new RecordChannel(readHeader(header), { events, mels: new Map() }, audio, {
    decode: () => Promise.resolve(sound),
  });
}

it("shows record, model, settings and vocabulary, and nothing that a kernel would have to do", () => {
  const channel = channelOf();
  const { store } = channel;
  expect(store.record.decided).toBe(3);
  expect(store.saved.value).toBe(true);
  expect(store.settings.value).toEqual(HEADER.settings);
  expect(store.vocabulary.value.tokens).toEqual(HEADER.tokens);
  expect([channel.ongoing, channel.ready]).toEqual([false, false]);
  expect("record" in channel).toBe(false);
  expect(createView(channel).following.value).toBe(false);
});

it("a reply that was running when the record was exported is over", () => {
  const channel = channelOf({ events: [chunk(0), decision(0, SPOKE), token(0, 0, "Hi")] });
  expect(channel.store.speaking.value).toBe(false);
  expect(channel.store.record.turns[0]?.text).toBe("Hi");
});

it("plays chunks out of the page's audio, behind the encoder's delay", async () => {
  const channel = channelOf();
  const first = await channel.fetchAudio(1);
  expect("sound" in first && [first.sound.samples[0], first.sound.samples.length]).toEqual([50, 400]);
  const second = await channel.fetchAudio(2);
  expect("sound" in second && second.sound.samples[0]).toBe(450);
  expect(await channel.fetchAudio(0)).toEqual({ why: "This page has no audio of this chunk." });
  expect(await channelOf({ audio: null }).fetchAudio(1)).toEqual({
    why: "This page has no audio of this chunk.",
  });
  expect(channel.rawAudio()).toBeNull();
});

it("decisions without alternatives get those of the two decision tokens", () => {
  const rule = { greedy: false, temperature: 0.5, top_k: 3, top_p: 1, bias: 1, mask: true, seed: 0 };
  const bare: Decision = { ...decision(0), logit_keep: 2, logit_text: 0, rule, alternatives: [] };
  const found = channelOf({ events: [chunk(0), bare] }).store.record.decisions.get(0);
  const p = 1 / (1 + Math.exp(2));
  expect(found?.alternatives.map(({ text }) => text)).toEqual(["KEEP_SILENCE", "TEXT_BEGIN"]);
  expect(found?.alternatives[1]?.scaled).toBeCloseTo(p, 12);
});

it("reads a header whatever is missing in it, and refuses one of another version with a sentence", () => {
  const header = readHeader({ format: 1 });
  expect([header.title, header.facts, header.notes, header.audio]).toEqual(["", [], [], null]);
  for (const value of [null, "text", {}, { format: 2 }])
    expect(() => readHeader(value)).toThrow("another version");
});

it("log-mels are shown, those of a long record part by part", async () => {
  const chunks = Array.from({ length: 2500 }, (_, k) => chunk(k));
  const mels = new Map(chunks.map((one) => [one.chunk, new Uint8Array(320).fill(7)]));
  const { store } = new RecordChannel(readHeader({ format: 1 }), { events: chunks, mels }, null);
  const known = () => [0, 999, 1000, 2499].map((k) => store.record.chunks.mel.has(k));
  expect(known()).toEqual([true, true, false, false]);
  await vi.waitFor(() => expect(known()).toEqual([true, true, true, true]));
  expect(store.record.chunks.mel.frames(2499)?.[319]).toBe(7);
});

it("a turn of the record is shown with its text", () => {
  const channel = channelOf({ events: [chunk(0), decision(0, SPOKE), turn(0, "Yes.")] });
  expect(channel.store.record.turns[0]?.text).toBe("Yes.");
});
