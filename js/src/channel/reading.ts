/** What a page takes for a message of the kernel. */
import { isObject } from "../text/json";
import { KERNEL_TYPES, type KernelMessage, type ModelInfo } from "./messages";

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
