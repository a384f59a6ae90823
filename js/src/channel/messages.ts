/**
 * The wire protocol between browser and kernel. This file mirrors `ai_widgets/widget/wire/messages.py`, which explains
 * each message; `test/mirror.test.ts` holds the two equal.
 */
import type { SessionEvent } from "../record/events";
import { cutAtGrapheme } from "../text/graphemes";

export const PROTOCOL_VERSION = 3;
/** The buffer of a hello. Some hosts drop binary buffers; then blocks travel as base64. */
export const HANDSHAKE = [1, 2, 3, 4] as const;
/** Longest text a message may carry in one field. */
export const MAX_TEXT = 500;

export const MIC_STATES = ["idle", "asking", "listening", "paused", "stopped", "error"] as const;
export const SOURCES = ["mic", "file"] as const;
export const FORMATS = ["int16", "float32"] as const;
export const CLOSE_REASONS = [
  "stopped",
  "ended",
  "track_ended",
  "view_removed",
  "kernel_lost",
  "reset",
  "stalled",
  "error",
] as const;

/** How fast a file is played: as fast as chunks are decided, or as it would be spoken. */
export const PACES = ["fast", "realtime"] as const;
export const FILE_ACTIONS = ["pause", "resume", "stop"] as const;

/** Whether the loop runs by itself, is paused, or does one phase per `step`. */
export const LOOP_MODES = ["run", "pause", "step"] as const;
/** What `fetch` may ask for. */
export const FETCHABLE = ["audio"] as const;

export type MicPhase = (typeof MIC_STATES)[number];
export type Source = (typeof SOURCES)[number];
export type CloseReason = (typeof CLOSE_REASONS)[number];
/** Identifies one session of the kernel; compared, never interpreted. */
export type SessionId = string | number;

export type LoopMode = (typeof LOOP_MODES)[number];
export type Pace = (typeof PACES)[number];
export type FileAction = (typeof FILE_ACTIONS)[number];

export type BrowserMessage =
  | { type: "hello"; protocol: number; seen: number; page: string; session: SessionId | null }
  | {
      type: "open";
      stream: number;
      source: Source;
      name: string;
      rate: number;
      tail_s: number;
      page: string;
      track: Record<string, unknown>;
    }
  | {
      type: "block";
      stream: number;
      seq: number;
      rate: number;
      format: (typeof FORMATS)[number];
      time_s: number;
      captured_ms: number;
      sent_ms: number;
      offset_ms: number | null;
      gated: boolean;
      page: string;
      data?: string;
    }
  | { type: "close"; stream: number; blocks: number; reason: CloseReason; page: string }
  | {
      type: "play";
      stream: number;
      name: string;
      size: number;
      pace: Pace;
      tail_s: number;
      page: string;
    }
  | { type: "bytes"; stream: number; offset: number; problem: string; page: string; data?: string }
  | { type: "file"; action: FileAction; reason: CloseReason; page: string }
  | { type: "state"; state: MicPhase; problem: string; message: string }
  | { type: "set"; changes: Record<string, unknown>; request: number }
  | { type: "fetch"; what: (typeof FETCHABLE)[number]; chunk: number; request: number }
  | { type: "loop"; mode: LoopMode }
  | { type: "step" }
  | { type: "interrupt" }
  | { type: "reset" }
  | { type: "poll" };

export type LoadingStatus = "loading" | "ready" | "failed";

/** What the kernel says of the model, in `model` messages, in `welcome.model` and in the trait `model_info`. */
export interface ModelInfo {
  status: LoadingStatus;
  name: string;
  detail: unknown;
}

export type KernelMessage =
  | {
      type: "welcome";
      protocol: number;
      binary: boolean;
      pull: boolean;
      session: SessionId;
      /** Number of the event that is told next. */
      first?: number;
      model?: unknown;
      page: string;
      now_ms: number;
      settings?: unknown;
      live?: unknown;
      loop?: unknown;
      file?: unknown;
      tokens?: unknown;
      prefix?: unknown;
      block?: unknown;
      limit?: unknown;
    }
  | {
      type: "events";
      session: SessionId;
      first: number;
      events: SessionEvent[];
      waiting: number;
      now_ms: number;
    }
  | { type: "ack"; stream: number; seq: number; now_ms: number }
  | {
      type: "audio";
      chunk: number;
      request: number;
      rate: number;
      format: string;
      ok: boolean;
      data?: string;
    }
  | { type: "need"; stream: number; offset: number; length: number; page: string }
  | {
      type: "playing";
      name: string;
      page: string;
      state: string;
      pace: Pace;
      position_s: number;
      seconds: number | null;
      speed: number | null;
      left_s: number | null;
    }
  | { type: "loop"; mode: LoopMode; phase: string; chunk: number; waiting: number }
  | {
      type: "model";
      status: LoadingStatus;
      name: string;
      detail: unknown;
      tokens?: unknown;
      prefix?: unknown;
      block?: unknown;
      limit?: unknown;
    }
  | { type: "reset"; session: SessionId }
  | {
      type: "problem";
      code: string;
      message: string;
      detail: string;
      page?: string;
      /** The settings it is about. */
      names?: string[];
      /** Number of the request that it answers; 0 for none. */
      request?: number;
      /** How many problems of its code it stands for. */
      times?: number;
    };

export const KERNEL_TYPES = [
  "welcome",
  "events",
  "ack",
  "audio",
  "need",
  "playing",
  "loop",
  "model",
  "reset",
  "problem",
] as const;

/** The message a kernel sent, or null where it is none of this protocol. Trusts the fields of known types. */
export function readKernelMessage(content: unknown): KernelMessage | null {
  if (typeof content !== "object" || content === null) return null;
  const type = (content as { type?: unknown }).type;
  if (!KERNEL_TYPES.includes(type as (typeof KERNEL_TYPES)[number])) return null;
  if (type === "events" && !Array.isArray((content as { events?: unknown }).events)) return null;
  return content as KernelMessage;
}

/** `model_info` in any of its forms, made safe to show; null where it says nothing. */
export function readModelInfo(value: unknown): ModelInfo | null {
  if (typeof value === "string") return value ? { status: "ready", name: value, detail: "" } : null;
  if (typeof value !== "object" || value === null) return null;
  const { status, name, detail } = value as Record<string, unknown>;
  if (status !== "loading" && status !== "ready" && status !== "failed") return null;
  return { status, name: typeof name === "string" ? name : "", detail: detail ?? "" };
}

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
