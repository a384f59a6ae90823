/** The state of one view that the other views of the same channel do not share: cursor, selection, step mode. */

import { type Signal, signal } from "@preact/signals";
import type { Channel } from "./channel/channel";
import type { Pace } from "./channel/messages";
import { type HiddenFrom, NOTHING_HIDDEN } from "./store/hidden";
import type { Store } from "./store/store";

export interface View {
  /** For ids within the page. */
  id: string;
  channel: Channel;
  store: Store;
  /** The chunk shown in the detail line. */
  selected: Signal<number | null>;
  /** The chunk under the pointer or the keyboard's cursor. */
  hovered: Signal<number | null>;
  /** The reply token that is picked, within the selected chunk's reply. */
  token: Signal<{ turn: number; index: number } | null>;
  /** The decisions and replies that step mode hides. */
  hiddenFrom: Signal<HiddenFrom>;
  /** Whether step mode is open. */
  stepping: Signal<boolean>;
  /** Whether the settings are shown. */
  settingsOpen: Signal<boolean>;
  /** Whether the timeline runs along with the newest chunk. */
  following: Signal<boolean>;
  /** How fast a chosen or dropped file is streamed. */
  pace: Signal<Pace>;
  /** Brings a chunk into sight; set by the timeline. */
  showChunk: (chunk: number) => void;
}

let views = 0;

export function createView(channel: Channel): View {
  views += 1;
  return {
    id: `aiw-${views}`,
    channel,
    store: channel.store,
    selected: signal(null),
    hovered: signal(null),
    token: signal(null),
    hiddenFrom: signal(NOTHING_HIDDEN),
    stepping: signal(false),
    settingsOpen: signal(false),
    following: signal(true),
    pace: signal<Pace>("realtime"),
    showChunk: () => {},
  };
}
