/** The state of one view that the other views of the same channel do not share: cursor, selection, step mode. */

import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Channel, SessionChannel } from "./channel/channel";
import type { Pace } from "./channel/messages";
import { isChange, NO_CHANGE, type WhatIf, type WhatIfResult, whatIf } from "./record/what-if";
import { type HiddenFrom, NOTHING_HIDDEN } from "./store/hidden";
import type { Store } from "./store/store";

export interface View<C extends Channel = Channel> {
  /** For ids within the page. */
  id: string;
  channel: C;
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
  /** Whether dragging on the timeline selects a span instead of moving the window. */
  selecting: Signal<boolean>;
  /** The changed rule of the what-if panel, and which decisions it changes; null where nothing is changed. */
  whatIf: Signal<WhatIf>;
  flips: ReadonlySignal<WhatIfResult | null>;
  /** Brings a chunk into sight; set by the timeline. */
  showChunk: (chunk: number) => void;
}

/** The view of a session that runs: it can record, and change settings. */
export type SessionView = View<SessionChannel>;

let views = 0;

export function createView<C extends Channel>(channel: C): View<C> {
  views += 1;
  const { store } = channel;
  const changes = signal(NO_CHANGE);
  return {
    id: `aiw-${views}`,
    channel,
    store,
    selected: signal(null),
    hovered: signal(null),
    token: signal(null),
    hiddenFrom: signal(NOTHING_HIDDEN),
    stepping: signal(false),
    settingsOpen: signal(false),
    following: signal(channel.ongoing),
    pace: signal<Pace>("realtime"),
    selecting: signal(false),
    whatIf: changes,
    flips: computed(() => {
      if (!isChange(changes.value)) return null;
      void store.version.value;
      return whatIf(store.record.decisions, changes.value);
    }),
    showChunk: () => {},
  };
}
