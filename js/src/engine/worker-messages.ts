/** Messages between the page and the engine's worker. Every request has a reply with its number. */

import type { SessionEvent } from "../record/events";
import type { PendingNotice } from "./admission";
import type { ForkChange, Origin, SettingsChange } from "./engine";
import type { WrittenError } from "./errors";
import type { Manifest } from "./manifest";
import type { Graphs } from "./ort-runtime";
import type { Past } from "./past";
import type { Settings } from "./settings";

/** Request of the page. `session` and `reader` are numbers that the page gives. */
export type Request =
  | {
      readonly type: "load";
      readonly manifest: Manifest;
      readonly graphs: Graphs;
      readonly wasm: string | ArrayBuffer;
      readonly threads: number;
    }
  | { readonly type: "open"; readonly session: number; readonly settings: SettingsChange }
  | { readonly type: "rerun"; readonly session: number; readonly past: Past }
  | {
      readonly type: "push";
      readonly session: number;
      readonly reader: number;
      readonly samples: Float32Array;
      readonly rate: number;
      readonly origin: Origin;
    }
  | { readonly type: "finish"; readonly session: number; readonly reader: number; readonly tail: number }
  | {
      readonly type: "note";
      readonly session: number;
      readonly reader: number;
      readonly notice: PendingNotice;
    }
  | { readonly type: "runOn"; readonly session: number; readonly reader: number }
  | { readonly type: "more"; readonly session: number; readonly reader: number }
  | { readonly type: "stop"; readonly session: number; readonly reader: number }
  | { readonly type: "interrupt"; readonly session: number }
  | { readonly type: "set"; readonly session: number; readonly settings: SettingsChange }
  | { readonly type: "fork"; readonly session: number; readonly to: number; readonly change: ForkChange }
  | { readonly type: "audio"; readonly session: number; readonly chunk: number }
  | { readonly type: "close"; readonly session: number };

export type Numbered = Request & { readonly number: number };

/** What a session tells with each reply: its events since the last reply, and its state. */
export interface News {
  readonly session: number;
  readonly events: readonly SessionEvent[];
  readonly settings: Settings;
  readonly ended: string | null;
  readonly chunks: number;
  readonly pending_s: number;
  readonly speaking: boolean;
}

export interface Reply {
  readonly number: number;
  readonly error: WrittenError | null;
  /** Result: of `more` a `Ready`, of `audio` the samples, of `fork` the number of shared events. */
  readonly value: unknown;
  /** What the session of the request tells; of `fork` the new session. */
  readonly news: News | null;
  /** Of `fork`: what the session that was forked tells. It has run up to the fork. */
  readonly original: News | null;
}

/** End of a channel of messages: a worker, the scope inside it, or a port. */
export interface Port {
  postMessage(message: unknown, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent) => void) | null;
}
