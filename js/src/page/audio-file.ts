/**
 * Audio files in the page: decoded by the browser at the file's own rate, so that the engine resamples as Python does,
 * and played piece by piece.
 */
import type { Sound } from "../playback/sound";

/** Largest file that is played, in bytes: a browser decodes it as a whole, and an hour of MP3 has about 60 MB. */
export const MOST_BYTES = 100 * 2 ** 20;
/** Rate of a file whose header does not tell it, in Hz: that of most recorders and of Opus. */
const USUAL_RATE = 48_000;
/** Rates at which every browser decodes, in Hz. */
const [LOWEST_RATE, HIGHEST_RATE] = [8000, 96_000];
/** Ratio of the average's power to the loudest channel's below which the channels cancel (`audio/downmix.py`). */
const CANCELS_BELOW = 0.01;
const MP3_RATES = [
  [11_025, 12_000, 8000],
  [0, 0, 0],
  [22_050, 24_000, 16_000],
  [44_100, 48_000, 32_000],
] as const;

/** Mono sound of a file. */
export interface DecodedFile extends Sound {
  /** Channel that is used alone because the average of all is silent, counted from 1; 0 for the average. */
  channel: number;
}

/** A file that cannot be played; the message is a sentence. */
export class AudioFileError extends Error {
  override readonly name = "AudioFileError";
}

/** Decodes audio at a rate. */
export type Decode = (bytes: ArrayBuffer, rate: number) => Promise<AudioBuffer>;

export const browserDecode: Decode = (bytes, rate) =>
  new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);

/**
 * Decode a file to mono sound.
 *
 * @throws AudioFileError if it is too large, or this browser cannot decode it.
 */
export async function decodeFile(file: File, decode: Decode = browserDecode): Promise<DecodedFile> {
  if (file.size > MOST_BYTES) {
    const [has, most] = [file.size, MOST_BYTES].map((bytes) => Math.round(bytes / 2 ** 20));
    throw new AudioFileError(
      `${file.name} has ${has} MB; a page plays files of up to ${most} MB. Cut it, or play it with Python: ai-widgets run.`,
    );
  }
  let buffer: AudioBuffer;
  try {
    const bytes = await file.arrayBuffer();
    buffer = await decode(bytes, rateOf(new Uint8Array(bytes)) ?? USUAL_RATE);
  } catch {
    throw new AudioFileError(
      `This browser cannot decode ${file.name}. All browsers play WAV, MP3 and FLAC; convert the file to one of these.`,
    );
  }
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, i) => buffer.getChannelData(i));
  const { samples, channel } = downmix(channels);
  return { samples, channel, rate: buffer.sampleRate };
}

/** Return the average of all channels, or the loudest one if the average cancels the sound. */
export function downmix(channels: readonly Float32Array[]): { samples: Float32Array; channel: number } {
  const [first] = channels;
  if (!first) return { samples: new Float32Array(0), channel: 0 };
  if (channels.length === 1) return { samples: first, channel: 0 };
  const mean = new Float32Array(first.length);
  for (const channel of channels) {
    for (let i = 0; i < mean.length; i++)
      mean[i] = (mean[i] as number) + (channel[i] as number) / channels.length;
  }
  const powers = channels.map(power);
  const loudest = powers.indexOf(Math.max(...powers));
  const cancels = power(mean) < CANCELS_BELOW * (powers[loudest] as number);
  return cancels
    ? { samples: channels[loudest] as Float32Array, channel: loudest + 1 }
    : { samples: mean, channel: 0 };
}

function power(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return samples.length > 0 ? sum / samples.length : 0;
}

/** Return the sample rate that a file's header tells, if browsers can decode at it; else null. */
export function rateOf(bytes: Uint8Array): number | null {
  const rate = headerRate(bytes);
  return rate !== null && rate >= LOWEST_RATE && rate <= HIGHEST_RATE ? rate : null;
}

function headerRate(bytes: Uint8Array): number | null {
  if (bytes.length < 32) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number, length = 4) => String.fromCharCode(...bytes.subarray(at, at + length));
  if (word(0) === "RIFF" && word(8) === "WAVE") return waveRate(view, word);
  if (word(0) === "fLaC") return (view.getUint32(18) >>> 12) & 0xfffff;
  if (word(0) === ".snd") return view.getUint32(16);
  if (word(0) === "OggS") {
    const packet = 27 + (bytes[26] as number);
    if (word(packet, 8) === "OpusHead") return USUAL_RATE;
    if (word(packet + 1, 6) === "vorbis" && packet + 16 <= bytes.length)
      return view.getUint32(packet + 12, true);
    return null;
  }
  return mp3Rate(bytes, word);
}

function waveRate(view: DataView, word: (at: number) => string): number | null {
  for (let at = 12; at + 16 <= view.byteLength; ) {
    if (word(at) === "fmt ") return view.getUint32(at + 12, true);
    at += 8 + view.getUint32(at + 4, true) + (view.getUint32(at + 4, true) % 2);
  }
  return null;
}

function mp3Rate(bytes: Uint8Array, word: (at: number, length?: number) => string): number | null {
  let at = 0;
  if (word(0, 3) === "ID3") {
    // The size of the tag is written in four bytes of seven bits.
    at = 10 + bytes.subarray(6, 10).reduce((size, byte) => size * 128 + (byte & 0x7f), 0);
  }
  const [first = 0, second = 0, third = 0] = bytes.subarray(at, at + 3);
  if (first !== 0xff || (second & 0xe0) !== 0xe0) return null;
  return MP3_RATES[(second >> 3) & 3]?.[(third >> 2) & 3] ?? null;
}
