/** Heading of a session's record, as `ai_widgets/session/heading.py`: what a viewer needs without the model. */

import type { Heading } from "./engine";
import type { Settings } from "./settings";
import { type Model, termsOf } from "./terms";

/** Version of onnxruntime-web that this engine is built with. */
export const RUNTIME_VERSION = "1.30.0";

/** Return model, settings, framing and versions; `SettingError` if the context is too short for one chunk. */
export function headingOf(model: Model, settings: Settings): Heading {
  const { manifest, tokenizer } = model;
  const { prefix, block, limit } = termsOf(model, settings).framing;
  const fed = [...new Set([...prefix, ...block])].sort((a, b) => a - b);
  return {
    model: { ...manifest.model, device: "page", placement: "page · float32", threads: 1 },
    settings,
    framing: {
      ...{ prefix, block, limit },
      texts: Object.fromEntries(fed.map((token) => [token, tokenizer.textOf(token)])),
    },
    versions: {
      ai_widgets: manifest.made_by.replace("ai_widgets ", ""),
      "onnxruntime-web": RUNTIME_VERSION,
      system: typeof navigator === "undefined" ? "" : navigator.userAgent,
    },
  };
}
