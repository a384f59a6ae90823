/**
 * Forms of a recording's audio (docs/record-format.md): Sun audio with float32 samples, which is exact, and 24-bit FLAC
 * with a rest, whose sum is exact (`record/exact_flac.py`).
 */
/** Samples of one chunk of 0.4 s at 16 kHz. */
export const CHUNK_SAMPLES = 6400;

/** Value of full scale in 24-bit audio. */
const SCALE = 2 ** 23;
/** Size of the header of Sun audio, in bytes. */
const HEADER_BYTES = 28;
/** The header's fields: magic, offset of the samples, unknown length, float32, rate in Hz, one channel. */
const HEADER = [0x2e736e64, HEADER_BYTES, 0xffffffff, 6, 16_000, 1] as const;

/** Return the header of Sun audio at 16 kHz, whose length is open. */
export function sunHeader(): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [place, value] of HEADER.entries()) view.setUint32(4 * place, value);
  return bytes;
}

/** Encode samples as big-endian float32. */
export function sunBytes(samples: Float32Array): Uint8Array {
  const bytes = new Uint8Array(4 * samples.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < samples.length; i++) view.setFloat32(4 * i, samples[i] as number);
  return bytes;
}

/** Decode Sun audio of a recording, whole chunks only; null if its header is not that of 16 kHz float32 audio. */
export function readSun(bytes: Uint8Array): Float32Array | null {
  const header = sunHeader();
  if (bytes.length < HEADER_BYTES || header.some((value, place) => bytes[place] !== value)) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + HEADER_BYTES);
  const samples = new Float32Array(wholeChunks((bytes.length - HEADER_BYTES) >> 2));
  for (let i = 0; i < samples.length; i++) samples[i] = view.getFloat32(4 * i);
  return samples;
}

/**
 * Add the rest to decoded FLAC audio.
 *
 * @param decoded samples of 24-bit FLAC as a browser decodes them, which may be off by less than half a step
 * @param rest content of `audio.rest`; where it ends, the audio stays rounded to 24 bits
 * @returns the samples of whole chunks, and how many of them are exact
 */
export function joined(
  decoded: Float32Array,
  rest: Uint8Array,
): { samples: Float32Array<ArrayBuffer>; exact: number } {
  const samples = new Float32Array(wholeChunks(decoded.length));
  const finer = new DataView(new ArrayBuffer(4));
  const exact = Math.min(samples.length, wholeChunks(rest.length >> 2));
  for (let i = 0; i < samples.length; i++) {
    const whole = Math.round((decoded[i] as number) * SCALE) / SCALE;
    if (i >= exact) {
      samples[i] = whole;
      continue;
    }
    // The bytes of a chunk's rests are sorted by significance: all lowest bytes first.
    const within = i % CHUNK_SAMPLES;
    const start = 4 * (i - within) + within;
    for (let byte = 0; byte < 4; byte++) finer.setUint8(byte, rest[start + byte * CHUNK_SAMPLES] as number);
    samples[i] = whole + finer.getFloat32(0, true);
  }
  return { samples, exact };
}

/** Return the number of samples in the whole chunks of a number of samples. */
function wholeChunks(samples: number): number {
  return samples - (samples % CHUNK_SAMPLES);
}
