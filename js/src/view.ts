/** State of one view that the other views of the same channel do not share: cursor, selection, step mode. */

import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Channel, SessionChannel } from "./channel/channel";
import type { AnalysisKind, Pace } from "./channel/messages";
import { type Onset, onsetOfSilent } from "./record/onset";
import { isChange, NO_CHANGE, type WhatIf, type WhatIfResult, whatIf } from "./record/what-if";
import { type HiddenFrom, NOTHING_HIDDEN } from "./store/hidden";
import type { Store } from "./store/store";
import { firstView, rememberView, type ViewName } from "./store/view-name";

/** Place in the guided tour. */
export interface TourPlace {
  /** Index of the step. */
  step: number;
  /** View to return to. */
  from: ViewName;
}

export interface View<C extends Channel = Channel> {
  /** Unique prefix for ids within the page. */
  id: string;
  channel: C;
  store: Store;
  /** What is laid out: for the front of a room, everything, or the loop step by step. */
  name: Signal<ViewName>;
  /** Chunk shown in the inspector. */
  selected: Signal<number | null>;
  /** Chunk under the pointer or the keyboard's cursor. */
  hovered: Signal<number | null>;
  /** Selected reply token, within the selected chunk's reply. */
  token: Signal<{ turn: number; index: number } | null>;
  /** Decisions and replies that step mode hides. */
  hiddenFrom: Signal<HiddenFrom>;
  /** The guided tour; null while it is not taken. */
  tour: Signal<TourPlace | null>;
  /** Whether step mode is open. */
  stepping: Signal<boolean>;
  /** Whether the settings are shown. */
  settingsOpen: Signal<boolean>;
  /** Whether the choice of a format to save in is shown. */
  savingOpen: Signal<boolean>;
  /** Whether the timeline follows the newest chunk. */
  following: Signal<boolean>;
  /** Pace at which a chosen or dropped file is played. */
  pace: Signal<Pace>;
  /** Whether dragging on the timeline selects a span instead of moving the window. */
  selecting: Signal<boolean>;
  /** Changed rule of the what-if panel, and the decisions that it changes; null without a change. */
  whatIf: Signal<WhatIf>;
  flips: ReadonlySignal<WhatIfResult | null>;
  /** Onset curve: computed here where the record has no reply and `onsetHere` asks for it, else the kernel's. */
  onset: ReadonlySignal<Onset | null>;
  onsetHere: Signal<boolean>;
  /** Analyses whose lanes are closed. */
  closed: Signal<readonly AnalysisKind[]>;
  /** Move the timeline to a chunk; set by the timeline. */
  showChunk: (chunk: number) => void;
}

/** View of a running session, which can record and change settings. */
export type SessionView = View<SessionChannel>;

let views = 0;

/** Create a view; `firstVisit` is what it lays out where neither Python nor a person has chosen. */
export function createView<C extends Channel>(channel: C, firstVisit: ViewName = "explore"): View<C> {
  views += 1;
  const { store } = channel;
  const changes = signal(NO_CHANGE);
  const onsetHere = signal(false);
  return {
    id: `aiw-${views}`,
    channel,
    store,
    // A finished record has nothing to step or to show live.
    name: signal(channel.ongoing ? firstView(store.live.peek().view, firstVisit) : "explore"),
    selected: signal(null),
    hovered: signal(null),
    token: signal(null),
    hiddenFrom: signal(NOTHING_HIDDEN),
    tour: signal(null),
    stepping: signal(false),
    settingsOpen: signal(false),
    savingOpen: signal(false),
    following: signal(channel.ongoing),
    pace: signal<Pace>("realtime"),
    selecting: signal(false),
    whatIf: changes,
    flips: computed(() => {
      if (!isChange(changes.value)) return null;
      void store.version.value;
      return whatIf(store.record.decisions, changes.value);
    }),
    onset: computed(() => {
      void store.version.value;
      const here = onsetHere.value ? onsetOfSilent(store.record.decisions, changes.value) : null;
      return here ?? store.analyses.value.onset?.onset ?? null;
    }),
    onsetHere,
    closed: signal([]),
    showChunk: () => {},
  };
}

/** Lay out another view. Show has neither step mode nor settings, so these close. */
export function showView(view: View, name: ViewName): void {
  batch(() => {
    view.name.value = name;
    if (name !== "show") return;
    view.stepping.value = false;
    view.settingsOpen.value = false;
    view.savingOpen.value = false;
  });
}

/** Lay out the view that a person chose, and begin with it from now on. */
export function chooseView(view: View, name: ViewName): void {
  showView(view, name);
  rememberView(name);
}

/** Begin the guided tour, in the view that has all of its controls. */
export function beginTour(view: View): void {
  batch(() => {
    view.tour.value = { step: 0, from: view.name.peek() };
    view.stepping.value = false;
    showView(view, "explore");
  });
}

/** Leave the tour, and lay out the view in which it began. */
export function leaveTour(view: View): void {
  const place = view.tour.peek();
  if (!place) return;
  batch(() => {
    view.tour.value = null;
    showView(view, place.from);
  });
}
