/** Recordings as files in the page: exact audio, whole events of damaged files, and what is refused. */
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { strToU8, zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { joined, readSun, sunBytes, sunHeader } from "../src/page/exact-audio";
import { KeptEvents, linesOf } from "../src/page/kept-events";
import { chunkOf, readRecording, writeRecording } from "../src/page/recording-file";
import { NO_HEADER, vocabularyOf } from "../src/page/recording-header";
import type { SessionEvent } from "../src/record/events";
import { appendBounded } from "../src/record/reduced";
import { chunk, decision, timing, token, turn } from "./fakes";

const NO_FLAC = async () => {
  throw new Error("no FLAC");
};

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(base64, "base64"));
}

function talk(chunks = 3): SessionEvent[] {
  return Array.from({ length: chunks }, (_, k): SessionEvent[] => [
    chunk(k),
    decision(k, { rule: { greedy: true } }),
    ...(k === 1 ? [token(0, 0, "Größe 😀"), turn(0, "Größe 😀", { chunk: 1 })] : []),
    timing(k, 0),
  ]).flat();
}

async function written(events = talk(), header = NO_HEADER): Promise<Uint8Array> {
  async function* chunks() {
    for (let k = 0; k < 3; k++) yield new Float32Array(6400).fill(k / 3);
  }
  const lines = [strToU8(linesOf(events))];
  return new Uint8Array(await (await writeRecording(header, lines, chunks(), true)).arrayBuffer());
}

function read(bytes: Uint8Array, name = "talk.aiw") {
  return readRecording(bytes, name, NO_FLAC);
}

describe("audio", () => {
  it("of FLAC and rest is what Python split", () => {
    const vectors = JSON.parse(
      readFileSync(new URL("../../tests/vectors/exact_flac.json", import.meta.url), "utf8"),
    );
    const decoded = new Float32Array(6400);
    for (const [i, whole] of vectors.whole.entries()) decoded[i] = whole / 2 ** 23;
    const rest = new Uint8Array(4 * 6400);
    for (const [byte, part] of vectors.rest.entries()) rest.set(bytesOf(part), byte * 6400);
    const { samples, exact } = joined(decoded, rest);
    expect(exact).toBe(6400);
    expect(samples.slice(0, 256)).toEqual(new Float32Array(bytesOf(vectors.samples).buffer));
  });

  it("without its rest is rounded, and the whole chunks count", () => {
    const { samples, exact } = joined(new Float32Array(6400 + 99).fill(0.25), new Uint8Array(100));
    expect([samples.length, exact, samples[0]]).toEqual([6400, 0, 0.25]);
  });

  it("of Sun format comes back exactly", () => {
    const finite = fc.float({ noNaN: true });
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1, maxLength: 20 }), (values) => {
        const samples = new Float32Array(6400);
        samples.set(values);
        const bytes = new Uint8Array([...sunHeader(), ...sunBytes(samples)]);
        expect(readSun(bytes)).toEqual(samples);
      }),
    );
    expect(readSun(new Uint8Array(100))).toBeNull();
  });
});

describe("a recording", () => {
  it("comes back with header, events and audio", async () => {
    const header = { ...NO_HEADER, created: "2026-01-31T14:15:00Z", settings: { seed: 3 }, sessions: 1 };
    const back = await read(await written(talk(), header));
    expect(back.lacks).toEqual([]);
    expect(back.header).toEqual(header);
    expect(back.events).toEqual(talk());
    expect(chunkOf(back, 2)?.[0]).toBe(Math.fround(2 / 3));
    expect(chunkOf(back, 3)).toBeNull();
  });

  it("says from which chunk on it has audio", async () => {
    const back = await read(await written(talk(), { ...NO_HEADER, first_chunk: 5 }));
    expect(chunkOf(back, 4)).toBeNull();
    expect(chunkOf(back, 5)?.length).toBe(6400);
  });

  it("has lines of ASCII, whatever the text is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const lines = linesOf([turn(0, text)]);
        expect(lines).toMatch(/^[\n -~]*$/);
        expect(lines.split("\n").length).toBe(2);
        expect(JSON.parse(lines).text).toBe(text);
      }),
    );
  });

  it("that is cut gives what is whole, or a sentence", async () => {
    const bytes = await written(talk(40));
    for (let part = 1; part < 20; part++) {
      const cut = bytes.subarray(0, Math.floor((bytes.length * part) / 20));
      const found = await read(cut).catch((error: Error) => error);
      if (found instanceof Error) expect(found.name).toBe("RecordingError");
      else {
        expect(found.lacks.length).toBeGreaterThan(0);
        expect(talk(40).slice(0, found.events.length)).toEqual(found.events);
      }
    }
  });

  it("with damaged lines gives the others, and counts them", async () => {
    const lines = linesOf(talk()).split("\n");
    lines.splice(
      1,
      0,
      "{",
      '{"type":"chunk","chunk":"many"}',
      '{"type":"chunk","chunk":1e12}',
      '{"type":"later"}',
    );
    const back = await read(zipSync({ "events.jsonl": strToU8(lines.join("\n")) }));
    expect(back.events).toEqual(talk());
    expect(back.lacks.join("; ")).toContain("3 of its events are cut off or damaged and left out");
  });

  it("of a newer version, or of something else, is refused with a sentence", async () => {
    const of = (header: object) => read(zipSync({ "header.json": strToU8(JSON.stringify(header)) }));
    const format = "ai_widgets recording";
    await expect(of({ format, version: [2, 0] })).rejects.toThrow("version 2 of the recording format");
    await expect(of({ format: "photo" })).rejects.toThrow("its header does not say so");
    await expect(read(zipSync({ "x.txt": strToU8("x") }))).rejects.toThrow("zip archive but no recording");
    await expect(read(strToU8("RIFF and so on"))).rejects.toThrow("is not a recording of ai_widgets");
  });

  it("that unpacks to far more than it has is refused", async () => {
    const huge = zipSync({ "events.jsonl": [new Uint8Array(70 << 20), { level: 9 }] });
    await expect(read(huge)).rejects.toThrow("unpacks to more than 67 MB");
  });

  it("names its tokens, prefix and block", () => {
    const traits = {
      special_tokens: { TEXT_BEGIN: 3, PAD: 5 },
      framing: { chunk: ["FRAMES", "TEXT_BEGIN", "GONE"] },
    };
    const framing = { prefix: [9], texts: { "9": "You" }, limit: 100 };
    expect(vocabularyOf({ model: { traits }, framing })).toEqual({
      tokens: { TEXT_BEGIN: 3, PAD: 5 },
      prefix: [[9, "You"]],
      block: [
        { name: "FRAMES", token: 5, count: 10 },
        { name: "TEXT_BEGIN", token: 3, count: 1 },
      ],
      limit: 100,
    });
    expect(vocabularyOf(NO_HEADER)).toBeNull();
  });
});

it("events that are held as objects keep their details only while they are new", () => {
  const held: SessionEvent[] = [];
  for (const event of talk(4)) appendBounded(held, event, 5);
  expect(held.length).toBe(talk(4).length);
  expect(held[0]).toEqual({ ...chunk(0), envelope: [], mel: "" });
  expect(held.slice(-5)).toEqual(talk(4).slice(-5));
});

describe("kept events", () => {
  it("come back in order, whole", () => {
    const kept = new KeptEvents(4, 1000);
    for (const event of talk(5)) kept.add(event);
    expect([...kept.events()]).toEqual(talk(5));
    expect([kept.length, kept.reduced]).toEqual([talk(5).length, 0]);
  });

  it("lose the details of the oldest beyond the limit, and say so once", () => {
    const kept = new KeptEvents(4, 8);
    const added = talk(8).flatMap((event) => kept.add(event));
    const kinds = added.flatMap((event) => (event.type === "notice" ? [event.kind] : []));
    expect(kinds).toEqual(["events_reduced"]);
    expect(kept.reduced).toBeGreaterThanOrEqual(4);
    const events = [...kept.events()];
    expect(events.length).toBe(added.length);
    expect(events[0]).toEqual({ ...chunk(0), envelope: [], mel: "" });
    expect(events.slice(kept.reduced)).toEqual(added.slice(kept.reduced));
    expect(events.length - kept.reduced).toBeGreaterThanOrEqual(8);
  });
});
