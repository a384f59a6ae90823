/** Turns a chosen file into mono samples, at the file's own rate where that is known. */
import { readWavFormat } from "./wav";

export interface SoundFile {
  name: string;
  /** Samples per second. */
  rate: number;
  /** Mono, the mean of the channels. */
  samples: Float32Array;
}

/** Files that do not say their rate are decoded at this one; the kernel resamples to the model's. */
const COMMON_RATE = 48_000;

/** Decodes `file`. Rejects where the browser cannot read it as audio. */
export async function readSoundFile(file: File): Promise<SoundFile> {
  const bytes = await file.arrayBuffer();
  const rate = readWavFormat(bytes)?.rate ?? COMMON_RATE;
  const decoded = await decode(bytes, rate);
  return { name: file.name, rate: decoded.sampleRate, samples: mixToMono(decoded) };
}

async function decode(bytes: ArrayBuffer, rate: number): Promise<AudioBuffer> {
  let context: OfflineAudioContext;
  try {
    context = new OfflineAudioContext(1, 1, rate);
  } catch {
    // A rate that this browser does not handle.
    context = new OfflineAudioContext(1, 1, COMMON_RATE);
  }
  return context.decodeAudioData(bytes);
}

export function mixToMono(sound: Pick<AudioBuffer, "length" | "numberOfChannels" | "getChannelData">) {
  const first = sound.getChannelData(0);
  if (sound.numberOfChannels === 1) return first;
  const mono = new Float32Array(sound.length);
  for (let c = 0; c < sound.numberOfChannels; c++) {
    const channel = sound.getChannelData(c);
    for (let i = 0; i < mono.length; i++) mono[i] = (mono[i] as number) + (channel[i] as number);
  }
  for (let i = 0; i < mono.length; i++) mono[i] = (mono[i] as number) / sound.numberOfChannels;
  return mono;
}
