/** Checks of the kernel's messages. */
import { isObject } from "../text/json";
import { KERNEL_TYPES, type KernelMessage, type ModelInfo } from "./messages";

/** Return the message, or null if its type is unknown. The fields of known types are trusted. */
export function readKernelMessage(content: unknown): KernelMessage | null {
  if (typeof content !== "object" || content === null) return null;
  const type = (content as { type?: unknown }).type;
  if (!KERNEL_TYPES.includes(type as (typeof KERNEL_TYPES)[number])) return null;
  if (type === "events" && !Array.isArray((content as { events?: unknown }).events)) return null;
  return content as KernelMessage;
}

/** Return `model_info` with safe fields; null if there is no information. */
export function readModelInfo(value: unknown): ModelInfo | null {
  if (typeof value === "string")
    return value ? { status: "ready", kind: "model", name: value, detail: "" } : null;
  if (!isObject(value)) return null;
  const { status, kind, name, detail } = value;
  if (status !== "loading" && status !== "ready" && status !== "failed") return null;
  const told = typeof detail === "string" || isObject(detail) ? detail : "";
  return {
    status,
    kind: kind === "policy" ? "policy" : "model",
    name: typeof name === "string" ? name : "",
    detail: told,
  };
}
