/** Newest finished reply for screen readers. */

import { isReplyHidden } from "../store/hidden";
import type { View } from "../view";

export function Announcement({ view }: { view: View }) {
  const { store } = view;
  void store.version.value;
  const { turns } = store.record;
  // Replies are hidden from a chunk on, so the newest one is hidden first.
  const newest = turns.at(-1);
  const all = !newest || !isReplyHidden(view.hiddenFrom.value, newest);
  const finished = newest?.ended === null ? turns.length - 1 : turns.length;
  return (
    <p class="aiw-hidden" aria-live="polite" data-testid="announcement">
      {/* A separate node for each reply, so that screen readers announce two equal ones. */}
      <span key={finished}>{all && store.announcement.value}</span>
    </p>
  );
}
