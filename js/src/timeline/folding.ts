/** Folded lanes of each view. A new view starts with the folded lanes of the channel's newest view. */
import { type Signal, signal } from "@preact/signals";
import { isPolicy } from "../store/policy";
import type { View } from "../view";

const ofView = new WeakMap<View, Signal<ReadonlySet<string>>>();
/** Lanes that were folded last, by channel; kept until the page is closed. */
const remembered = new WeakMap<object, ReadonlySet<string>>();

export function foldedLanes(view: View): Signal<ReadonlySet<string>> {
  let folded = ofView.get(view);
  if (!folded) {
    // A policy hears no log-mel: the lane would be an empty box.
    const first = isPolicy(view.store) ? ["heard"] : [];
    folded = signal(remembered.get(view.channel) ?? new Set(first));
    ofView.set(view, folded);
  }
  return folded;
}

export function toggleLane(view: View, id: string): void {
  const folded = foldedLanes(view);
  const next = new Set(folded.peek());
  if (!next.delete(id)) next.add(id);
  folded.value = next;
  remembered.set(view.channel, next);
}
