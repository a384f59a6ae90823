/** Payload of messages: samples and files as bytes or base64, and texts of limited length. */

import type { Sound } from "../playback/sound";
import { cutAtGrapheme } from "../text/graphemes";
import { MAX_TEXT } from "./messages";

/** Truncate a text to the limit of a message field, between two graphemes. */
export function fitText(text: string): string {
  return text.length <= MAX_TEXT ? text : `${cutAtGrapheme(text, MAX_TEXT - 1)}…`;
}

/** Buffers of a message; a host may wrap the bytes in any view. */
export type Buffers = readonly (ArrayBufferView | ArrayBufferLike)[];

/** Return a `DataView` of exactly the bytes of any view or buffer; null if there are none. */
export function viewOf(buffer: unknown): DataView | null {
  if (ArrayBuffer.isView(buffer)) return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  // A buffer of another frame is no instance of this frame's class.
  const kind = Object.prototype.toString.call(buffer);
  if (kind === "[object ArrayBuffer]" || kind === "[object SharedArrayBuffer]") {
    return new DataView(buffer as ArrayBuffer);
  }
  return null;
}

/** Convert samples to float32 bytes in little-endian order on any machine. */
export function floatBytes(samples: Float32Array): ArrayBuffer {
  const bytes = new ArrayBuffer(samples.length * 4);
  const view = new DataView(bytes);
  for (let i = 0; i < samples.length; i++) view.setFloat32(i * 4, samples[i] as number, true);
  return bytes;
}

export function base64(bytes: ArrayBuffer): string {
  const octets = new Uint8Array(bytes);
  let binary = "";
  // In pieces, because the number of arguments of a call is limited.
  for (let i = 0; i < octets.length; i += 0x8000) {
    binary += String.fromCharCode(...octets.subarray(i, i + 0x8000));
  }
  return btoa(binary);
}

/** Return the bytes of base64 text; null if the text is no base64. */
export function bytesOf(data: string): Uint8Array | null {
  try {
    return Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  } catch {
    // No base64: the caller says what is missing.
    return null;
  }
}

/** Read little-endian int16 samples from a buffer of any kind, or from base64. */
export function soundOf(rate: number, data: string | undefined, buffer: unknown): Sound | null {
  const view = viewOf(buffer) ?? (typeof data === "string" ? viewOf(bytesOf(data)) : null);
  if (!view || !(rate > 0)) return null;
  const samples = new Float32Array(view.byteLength >> 1);
  for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(2 * i, true) / 32768;
  return { samples, rate };
}
