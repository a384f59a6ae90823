/** Sound that can be played, and the answer to a request for a chunk's sound. */

/** Mono sound, ready to be played. */
export interface Sound {
  samples: Float32Array;
  /** Sample rate in Hz. */
  rate: number;
}

/** Sound of a chunk; `why` is a sentence on why there is none. */
export type Fetched = { sound: Sound } | { why: string };

/** Rate of the model's input, in Hz. */
export const MODEL_RATE = 16_000;

/** Decode an audio file as mono at the rate of the model's input; needs no loudspeaker. Throws if it is no audio. */
export async function decodeAudio(audio: Blob): Promise<Sound> {
  const context = new OfflineAudioContext(1, 1, MODEL_RATE);
  const buffer = await context.decodeAudioData(await audio.arrayBuffer());
  const samples = buffer.getChannelData(0).slice();
  for (let channel = 1; channel < buffer.numberOfChannels; channel++) {
    for (const [i, value] of buffer.getChannelData(channel).entries()) samples[i] = (samples[i] ?? 0) + value;
  }
  return { samples: samples.map((value) => value / buffer.numberOfChannels), rate: buffer.sampleRate };
}
