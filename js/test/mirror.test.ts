/** Holds the TypeScript mirror and the Python source equal: constants, messages and event fields. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as wire from "../src/channel/messages";
import { EMOTIONS, EVENTS_VERSION } from "../src/record/events";

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");
const python = read("../../ai_widgets/widget/wire/messages.py");
const protocol = read("../../ai_widgets/protocol.py");
const typescript = read("../src/channel/messages.ts");
const events = read("../src/record/events.ts");

/** The strings of a Python tuple or of the keys of a dict. */
function names(source: string, constant: string): string[] {
  const body = new RegExp(`^${constant}[^=\\n]*= [({]([^)}]*)[)}]`, "m").exec(source)?.[1] ?? "";
  return [...body.matchAll(/"([\w-]+)"(?=\s*[,:]|\s*$)/g)].map((match) => match[1] as string);
}

/** Message fields as the module docstring of messages.py lists them. */
function documented(section: string): Map<string, string[]> {
  const lines = (python.split(`${section}\n---`)[1] ?? "").split(/\n\n|"""/)[0] ?? "";
  const found = new Map<string, string[]>();
  for (const [, type, fields] of lines.matchAll(/^(\w+) +\{([^}]*)\}/gm)) {
    const listed = (fields ?? "").split(",").map((field) => (field.split(":")[0] ?? "").trim());
    found.set(type as string, listed.filter(Boolean));
  }
  return found;
}

const [browserUnion = "", kernelUnion = ""] = typescript.split("export type KernelMessage");

/** Fields of the union member `{ type: "…"; … }` in messages.ts; `data` is how a buffer travels where none can. */
function mirrored(union: string, type: string): string[] {
  const found = new RegExp(`\\{\\s*type: "${type}"[;\\s]([^}]*)\\}`).exec(union);
  const fields = [...(found?.[1] ?? "").matchAll(/(\w+)\??: /g)].map((match) => match[1] as string);
  return fields.filter((field) => field !== "data").sort();
}

describe("messages.ts mirrors messages.py", () => {
  it("has the same protocol version and handshake", () => {
    expect(python).toContain(`PROTOCOL_VERSION = ${wire.PROTOCOL_VERSION}\n`);
    expect(python).toContain(`HANDSHAKE = bytes((${wire.HANDSHAKE.join(", ")}))`);
    expect(read("../../ai_widgets/widget/wire/fields.py")).toContain(`MAX_TEXT = ${wire.MAX_TEXT}\n`);
  });

  it.each([
    ["MIC_STATES", wire.MIC_STATES],
    ["SOURCES", wire.SOURCES],
    ["FORMATS", wire.FORMATS],
    ["CLOSE_REASONS", wire.CLOSE_REASONS],
    ["PACES", wire.PACES],
    ["FILE_ACTIONS", wire.FILE_ACTIONS],
    ["LOOP_MODES", wire.LOOP_MODES],
    ["FETCHABLE", wire.FETCHABLE],
  ])("has the same %s", (constant, values) => {
    expect(names(python, constant)).toEqual([...values]);
  });

  it("knows every message that the browser sends", () => {
    const listed = documented("Browser → kernel");
    expect([...listed.keys()]).toEqual([
      "hello",
      "open",
      "block",
      "close",
      "play",
      "bytes",
      "file",
      "state",
      "set",
      "fetch",
      "loop",
      "step",
      "interrupt",
      "reset",
      "poll",
    ]);
    for (const [type, fields] of listed) expect(mirrored(browserUnion, type), type).toEqual(fields.sort());
  });

  it("knows every message that the kernel sends", () => {
    const listed = documented("Kernel → browser");
    expect([...listed.keys()]).toEqual([...wire.KERNEL_TYPES]);
    for (const [type, fields] of listed) expect(mirrored(kernelUnion, type), type).toEqual(fields.sort());
  });
});

describe("events.ts mirrors protocol.py", () => {
  it.each(["Chunk", "Decision", "Token", "Turn", "Notice", "Timing"])("%s has the same fields", (name) => {
    const body = protocol.split(`class ${name}(Event):`)[1]?.split(/\n\n\n/)[0] ?? "";
    const code = body.replace(/"""[\s\S]*?"""/g, "");
    const written = [...code.matchAll(/^ {4}(\w+): /gm)].map((match) => match[1]);
    const shape = events.split(`export interface ${name} {`)[1]?.split("\n}")[0] ?? "";
    const mirror = [...shape.matchAll(/^ {2}(\w+): /gm)].map((match) => match[1]);
    expect(mirror.filter((field) => field !== "type" && field !== "chunk").sort()).toEqual(written.sort());
  });

  it("is of the same version", () => {
    expect(protocol).toContain(`EVENTS_VERSION = ${EVENTS_VERSION}\n`);
  });

  it("has the same emotions", () => {
    const tokens = read("../../ai_widgets/special_tokens.py");
    const body = tokens.split("class Emotion(str, Enum):")[1]?.split("\n\n\n")[0] ?? "";
    expect([...body.matchAll(/= "(\w+)"/g)].map((match) => match[1])).toEqual([...EMOTIONS]);
  });
});

describe("payloads", () => {
  it("are little-endian float32", () => {
    expect([...new Uint8Array(wire.floatBytes(new Float32Array([1, -2])))]).toEqual([
      0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0,
    ]);
  });

  it("survive base64, however long", () => {
    const samples = Float32Array.from({ length: 40_000 }, (_, i) => Math.sin(i));
    const bytes = wire.floatBytes(samples);
    expect(Buffer.from(wire.base64(bytes), "base64").equals(Buffer.from(bytes))).toBe(true);
  });

  it("are not mistaken: what is no kernel message reads as null", () => {
    for (const content of [null, 3, "events", {}, { type: "anywidget-command" }, { type: "events" }]) {
      expect(wire.readKernelMessage(content)).toBeNull();
    }
  });

  it("read model information in every form, and nothing else", () => {
    expect(wire.readModelInfo({ status: "ready", name: "tiny", detail: { device: "cpu" } })).toEqual({
      status: "ready",
      name: "tiny",
      detail: { device: "cpu" },
    });
    expect(wire.readModelInfo("tiny")?.name).toBe("tiny");
    expect(wire.readModelInfo({ status: "odd" })).toBeNull();
    expect(wire.readModelInfo(undefined)).toBeNull();
  });
});
