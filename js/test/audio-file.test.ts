/** Audio files in the page: the rate that their header tells, the mix of their channels, and files that cannot be played. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Decode, decodeFile, downmix, MOST_BYTES, rateOf } from "../src/page/audio-file";
import { wavOf } from "../src/playback/clip";

const FIXTURES = new URL("../../tests/fixtures/", import.meta.url);

function decoding(...channels: Float32Array[]): { decode: Decode; rates: number[] } {
  const rates: number[] = [];
  const decode: Decode = async (_, rate) => {
    rates.push(rate);
    return {
      numberOfChannels: channels.length,
      sampleRate: rate,
      getChannelData: (i: number) => channels[i],
    } as unknown as AudioBuffer;
  };
  return { decode, rates };
}

describe("the rate", () => {
  it.each([8000, 16_000, 44_100, 96_000])("of a WAV file at %i Hz is read", async (rate) => {
    const wav = wavOf([{ samples: new Float32Array(10), rate }]);
    expect(rateOf(new Uint8Array(await wav.arrayBuffer()))).toBe(rate);
  });

  it("of Ogg Vorbis is read", () => {
    expect(rateOf(readFileSync(new URL("speech_pause_speech.ogg", FIXTURES)))).toBe(22_050);
  });

  it.each([
    ["FLAC", [0x66, 0x4c, 0x61, 0x43, ...Array(14).fill(0), 0x0a, 0xc4, 0x42, 0xf0], 44_100],
    ["MP3", [0xff, 0xfb, 0x90, 0x00], 44_100],
    ["MP3 of 22 kHz", [0xff, 0xf3, 0x90, 0x00], 22_050],
    ["MP3 with a tag", [0x49, 0x44, 0x33, 4, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4, 0xff, 0xfb, 0x94, 0], 48_000],
    ["Sun audio", [0x2e, 0x73, 0x6e, 0x64, ...Array(12).fill(0), 0, 0, 0x3e, 0x80], 16_000],
    [
      "a rate that browsers do not decode at",
      [0x2e, 0x73, 0x6e, 0x64, ...Array(12).fill(0), 0, 0, 0, 8],
      null,
    ],
    ["something else", [1, 2, 3], null],
  ])("of %s is %s", (_, start, rate) => {
    expect(rateOf(new Uint8Array([...(start as number[]), ...Array(40).fill(0)]))).toBe(rate);
  });
});

describe("channels", () => {
  it("are averaged", () => {
    const { samples, channel } = downmix([Float32Array.of(1, 0), Float32Array.of(0, 0.5)]);
    expect([[...samples], channel]).toEqual([[0.5, 0.25], 0]);
  });

  it("that cancel give the loudest one, which is told", async () => {
    const loud = Float32Array.of(0.5, -0.5, 0.25);
    const { decode } = decoding(
      loud.map((sample) => -0.98 * sample),
      loud,
    );
    const { samples, channel } = await decodeFile(new File(["x"], "plug.wav"), decode);
    expect([samples, channel]).toEqual([loud, 2]);
  });
});

describe("a file", () => {
  it("is decoded at its own rate, and at 48 kHz where it does not tell one", async () => {
    const { decode, rates } = decoding(new Float32Array(4));
    const wav = wavOf([{ samples: new Float32Array(40), rate: 22_050 }]);
    await decodeFile(new File([wav], "a.wav"), decode);
    await decodeFile(new File(["?"], "b.m4a"), decode);
    expect(rates).toEqual([22_050, 48_000]);
  });

  it("that the browser cannot decode is a sentence with the way out", async () => {
    const decode: Decode = () => Promise.reject(new DOMException("", "EncodingError"));
    const played = decodeFile(new File(["?"], "talk.amr"), decode);
    await expect(played).rejects.toThrow(
      "This browser cannot decode talk.amr. All browsers play WAV, MP3 and FLAC",
    );
  });

  it("that is too large is refused before it is read", async () => {
    const large = { name: "hours.wav", size: MOST_BYTES + 1 } as File;
    await expect(decodeFile(large, decoding().decode)).rejects.toThrow(
      "hours.wav has 100 MB; a page plays files of up to",
    );
  });
});
