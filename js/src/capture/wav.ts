/** Reads what a WAV file says of itself: enough to decode it at its own rate. */

export interface WavFormat {
  /** 1 PCM, 3 float, 6 A-law, 7 µ-law, 65534 extensible (resolved to the sub-format where it is one of these). */
  format: number;
  channels: number;
  /** Samples per second. */
  rate: number;
  bits: number;
}

/** The `fmt ` chunk of a RIFF/WAVE (or RF64) file; null where the bytes are not one. */
export function readWavFormat(bytes: ArrayBuffer): WavFormat | null {
  const view = new DataView(bytes);
  if (view.byteLength < 36) return null;
  const riff = fourCharacters(view, 0);
  if ((riff !== "RIFF" && riff !== "RF64") || fourCharacters(view, 8) !== "WAVE") return null;
  let at = 12;
  while (at + 8 <= view.byteLength) {
    const size = view.getUint32(at + 4, true);
    if (fourCharacters(view, at) === "fmt ") return formatAt(view, at + 8, size);
    // Chunks are padded to an even length.
    at += 8 + size + (size % 2);
  }
  return null;
}

function formatAt(view: DataView, at: number, size: number): WavFormat | null {
  if (size < 16 || at + 16 > view.byteLength) return null;
  let format = view.getUint16(at, true);
  if (format === 0xfffe && size >= 26 && at + 26 <= view.byteLength) format = view.getUint16(at + 24, true);
  const channels = view.getUint16(at + 2, true);
  const rate = view.getUint32(at + 4, true);
  const bits = view.getUint16(at + 14, true);
  return channels > 0 && rate > 0 ? { format, channels, rate, bits } : null;
}

function fourCharacters(view: DataView, at: number): string {
  return String.fromCharCode(
    view.getUint8(at),
    view.getUint8(at + 1),
    view.getUint8(at + 2),
    view.getUint8(at + 3),
  );
}
