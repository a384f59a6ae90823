/** The folded lanes of each view. A view that is made anew starts with those of the channel's last view. */
import { type Signal, signal } from "@preact/signals";
import type { View } from "../view";

const ofView = new WeakMap<View, Signal<ReadonlySet<string>>>();
/** The lanes last folded, by channel; kept as long as the page. */
const remembered = new WeakMap<object, ReadonlySet<string>>();

export function foldedLanes(view: View): Signal<ReadonlySet<string>> {
  let folded = ofView.get(view);
  if (!folded) {
    folded = signal(remembered.get(view.channel) ?? new Set<string>());
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
