/** What messages carry: samples and files as bytes or base64, and texts of limited length. */
import { cutAtGrapheme } from "../text/graphemes";
import { MAX_TEXT } from "./messages";

/** Text cut to what a message field may carry, never inside a character. */
export function fitText(text: string): string {
  return text.length <= MAX_TEXT ? text : `${cutAtGrapheme(text, MAX_TEXT - 1)}…`;
}

/** What a host hands over with a message: it may wrap the bytes in any view, or in none. */
export type Buffers = readonly (ArrayBufferView | ArrayBufferLike)[];

/** Any view or buffer as a `DataView` of exactly its bytes; null for what holds none. */
export function viewOf(buffer: unknown): DataView | null {
  if (ArrayBuffer.isView(buffer)) return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  // A buffer of another frame is no instance of this frame's class.
  const kind = Object.prototype.toString.call(buffer);
  if (kind === "[object ArrayBuffer]" || kind === "[object SharedArrayBuffer]") {
    return new DataView(buffer as ArrayBuffer);
  }
  return null;
}

/** Samples as the kernel expects them: float32, little-endian, whatever the machine's own order. */
export function floatBytes(samples: Float32Array): ArrayBuffer {
  const bytes = new ArrayBuffer(samples.length * 4);
  const view = new DataView(bytes);
  for (let i = 0; i < samples.length; i++) view.setFloat32(i * 4, samples[i] as number, true);
  return bytes;
}

export function base64(bytes: ArrayBuffer): string {
  const octets = new Uint8Array(bytes);
  let binary = "";
  // In pieces: the arguments of one call are limited.
  for (let i = 0; i < octets.length; i += 0x8000) {
    binary += String.fromCharCode(...octets.subarray(i, i + 0x8000));
  }
  return btoa(binary);
}
