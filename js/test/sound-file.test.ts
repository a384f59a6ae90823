import { describe, expect, it } from "vitest";
import { mixToMono } from "../src/capture/sound-file";
import { readWavFormat } from "../src/capture/wav";

/** A RIFF file from its chunks. */
function riff(chunks: [name: string, body: Uint8Array][], form = "WAVE"): ArrayBuffer {
  const parts: number[] = [];
  const word = (value: number) => [
    value & 255,
    (value >> 8) & 255,
    (value >> 16) & 255,
    (value >>> 24) & 255,
  ];
  const text = (value: string) => [...value].map((letter) => letter.charCodeAt(0));
  for (const [name, body] of chunks) {
    parts.push(...text(name), ...word(body.length), ...body);
    if (body.length % 2 === 1) parts.push(0);
  }
  return new Uint8Array([...text("RIFF"), ...word(parts.length + 4), ...text(form), ...parts]).buffer;
}

function fmt(format: number, channels: number, rate: number, bits: number, extra = 0): Uint8Array {
  const body = new Uint8Array(16 + extra);
  const view = new DataView(body.buffer);
  view.setUint16(0, format, true);
  view.setUint16(2, channels, true);
  view.setUint32(4, rate, true);
  view.setUint16(14, bits, true);
  return body;
}

const data: [string, Uint8Array] = ["data", new Uint8Array(64)];

describe("a WAV header", () => {
  it("tells rate, channels and format", () => {
    expect(readWavFormat(riff([["fmt ", fmt(1, 2, 44_100, 16)], data]))).toEqual({
      format: 1,
      channels: 2,
      rate: 44_100,
      bits: 16,
    });
  });

  it("is found behind other chunks, odd ones too", () => {
    const other: [string, Uint8Array] = ["LIST", new Uint8Array(7)];
    expect(readWavFormat(riff([other, ["fmt ", fmt(3, 1, 96_000, 32)], data]))?.rate).toBe(96_000);
  });

  it("of an extensible file names its sub-format", () => {
    const body = fmt(0xfffe, 1, 48_000, 24, 24);
    new DataView(body.buffer).setUint16(24, 1, true);
    expect(readWavFormat(riff([["fmt ", body], data]))?.format).toBe(1);
  });

  it.each([
    ["nothing", new ArrayBuffer(0)],
    ["noise", new Uint8Array(100).fill(7).buffer],
    ["another RIFF", riff([["fmt ", fmt(1, 1, 8000, 16)], data], "AVI ")],
    ["no fmt chunk", riff([data])],
    ["a cut fmt chunk", riff([["fmt ", fmt(1, 1, 8000, 16)]]).slice(0, 30)],
    ["no channels", riff([["fmt ", fmt(1, 0, 8000, 16)], data])],
  ])("is not seen in %s", (_what, bytes) => {
    expect(readWavFormat(bytes as ArrayBuffer)).toBeNull();
  });
});

describe("channels", () => {
  it("are mixed to their mean", () => {
    const channels = [new Float32Array([1, 0.5]), new Float32Array([0, -0.5])];
    const mono = mixToMono({
      length: 2,
      numberOfChannels: 2,
      getChannelData: (c: number) => channels[c] as Float32Array<ArrayBuffer>,
    });
    expect([...mono]).toEqual([0.5, 0]);
  });
});
