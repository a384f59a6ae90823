/** The types made of the Python schemas, what the kernel writes held against them, and what messages carry. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { sources, typeOf, typescript } from "../schema-types.mjs";
import { KERNEL_TYPES } from "../src/channel/messages";
import { base64, floatBytes } from "../src/channel/payload";
import { readKernelMessage, readModelInfo } from "../src/channel/reading";
import { readVocabulary } from "../src/record/vocabulary";
import { readPlaying } from "../src/store/playing";
import { readLoop } from "../src/store/settings";
import { addEvents, createStore } from "../src/store/store";
import { EVENTS, FROM_KERNEL, FROM_PAGE } from "./fixtures/written";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

describe("generated types", () => {
  it("are those of the schemas: if not, run `make schema`", async () => {
    const made = await sources();
    expect([...made.keys()]).toEqual(["src/record/events.ts", "src/channel/messages.ts"]);
    for (const [path, source] of made) expect(read(path), path).toBe(source);
  });

  it.each([
    [{ type: "integer", minimum: 0 }, "number"],
    [{ enum: ["a", "b"] }, '"a" | "b"'],
    [{ anyOf: [{ type: "number" }, { type: "null" }] }, "number | null"],
    [{ type: ["integer", "string", "null"] }, "number | string | null"],
    [{ type: "array", items: { $ref: "#/$defs/Token" } }, "readonly Token[]"],
    [
      { type: "array", items: { anyOf: [{ type: "string" }, { type: "null" }] } },
      "readonly (string | null)[]",
    ],
    [{ type: "array", prefixItems: [{ type: "integer" }, { type: "string" }] }, "readonly [number, string]"],
    [{ type: "object" }, "Readonly<Record<string, unknown>>"],
    [{ type: "object", additionalProperties: { type: "integer" } }, "Readonly<Record<string, number>>"],
    [{}, "unknown"],
  ])("%j is %s", (part, type) => expect(typeOf(part)).toBe(type));

  it("refuse a schema that has no TypeScript type", () => {
    expect(() => typeOf({ type: "date" })).toThrow('no TypeScript type for {"type":"date"}');
  });

  it("tell required from optional fields, and import what another file declares", () => {
    const schema = {
      constants: { LIMIT: 3, WORDS: ["a"] },
      $defs: {
        Ask: {
          description: "A question.",
          properties: {
            type: { enum: ["ask"] },
            of: { $ref: "o.json#/$defs/Other", description: "Whom." },
            n: {},
          },
          required: ["type", "of"],
        },
      },
    };
    expect(typescript(schema, "ask.json", { "o.json": "./other" })).toBe(
      `// Generated from schema/ask.json: do not edit. After a change in Python, run: make schema

import type { Other } from "./other";

export const LIMIT = 3;
export const WORDS = ["a"] as const;

/** A question. */
export interface Ask {
  readonly type: "ask";
  /** Whom. */
  readonly of: Other;
  readonly n?: unknown;
}
`,
    );
  });
});

describe("what the kernel writes", () => {
  // The compiler holds the fixture against the generated types (`satisfies`); here the page's readers take it.
  it("has every type of message", () => {
    expect(new Set(FROM_KERNEL.map((message) => message.type))).toEqual(new Set(KERNEL_TYPES));
  });

  it.each(FROM_KERNEL.map((message) => [message.type, message]))("%s is read", (_, message) => {
    expect(readKernelMessage(message)).toEqual(message);
  });

  it("is understood: model, tokens, file and loop", () => {
    const [ready, loading] = FROM_KERNEL.filter((message) => message.type === "welcome");
    expect(readModelInfo(ready?.model)).toEqual(ready?.model);
    expect(readModelInfo(loading?.model)).toEqual(loading?.model);
    expect(readPlaying(loading?.file)).toMatchObject({ name: "talk.wav", state: "playing", left_s: 4.7 });
    expect(readLoop(ready?.loop)).toMatchObject({ mode: "run", chunk: 3 });
    expect(readVocabulary(ready ?? {})?.limit).toBe(4096);
  });

  it("is a record after its events", () => {
    const store = createStore();
    addEvents(store, EVENTS);
    expect(store.record.decisions.has(3)).toBe(true);
    expect(store.record.turns.map((turn) => turn.emotion)).toEqual(["happy", null]);
  });
});

it("the page's messages have every type that Python declares", () => {
  const declared = JSON.parse(read("schema/messages.json")).$defs;
  const types = declared.BrowserMessage.anyOf.map(
    ({ $ref }: { $ref: string }) => declared[$ref.split("/").at(-1) as string].properties.type.enum[0],
  );
  expect(new Set(FROM_PAGE.map((message) => message.type))).toEqual(new Set(types));
});

describe("payloads", () => {
  it("are little-endian float32", () => {
    expect([...new Uint8Array(floatBytes(new Float32Array([1, -2])))]).toEqual([
      0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0,
    ]);
  });

  it("survive base64, however long", () => {
    const samples = Float32Array.from({ length: 40_000 }, (_, i) => Math.sin(i));
    const bytes = floatBytes(samples);
    expect(Buffer.from(base64(bytes), "base64").equals(Buffer.from(bytes))).toBe(true);
  });

  it("are not mistaken: what is no kernel message reads as null", () => {
    for (const content of [null, 3, "events", {}, { type: "anywidget-command" }, { type: "events" }]) {
      expect(readKernelMessage(content)).toBeNull();
    }
  });

  it("read model information in every form, and nothing else", () => {
    expect(readModelInfo({ status: "ready", name: "tiny", detail: { device: "cpu" } })).toEqual({
      status: "ready",
      kind: "model",
      name: "tiny",
      detail: { device: "cpu" },
    });
    expect(readModelInfo("tiny")?.name).toBe("tiny");
    expect(readModelInfo({ status: "odd" })).toBeNull();
    expect(readModelInfo(undefined)).toBeNull();
  });
});
