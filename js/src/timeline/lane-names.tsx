/**
 * Names of the lanes; each one is a button that folds its lane. One tab stop: the arrow keys move from name to name.
 */

import { useSignal } from "@preact/signals";
import { claim } from "../host/claim";
import { isPolicy } from "../store/policy";
import type { View } from "../view";
import { foldedLanes, toggleLane } from "./folding";
import { layoutOf } from "./layout";

export function LaneNames({ view }: { view: View }) {
  const { places } = layoutOf(foldedLanes(view).value);
  const policy = isPolicy(view.store);
  const current = useSignal(0);
  const walk = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !(event.currentTarget instanceof HTMLElement)) return;
    claim(event);
    const next = Math.min(places.length - 1, Math.max(0, current.value + step));
    current.value = next;
    event.currentTarget.querySelectorAll<HTMLElement>("button")[next]?.focus();
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would bring its own looks
    <div class="aiw-lane-names" role="group" aria-label="Lanes of the timeline" onKeyDown={walk}>
      {places.map(({ lane, top, height, folded }, i) => {
        const { label, hint } = (policy && lane.ofPolicy) || lane;
        return (
          <button
            key={lane.id}
            type="button"
            class="aiw-lane-name"
            data-lane={lane.id}
            style={{ top: `${top}px`, height: `${height - 1}px` }}
            tabIndex={i === current.value ? 0 : -1}
            aria-expanded={!folded}
            title={folded ? `Unfold ${label}` : `Fold ${label}`}
            onFocus={() => {
              current.value = i;
            }}
            onClick={() => toggleLane(view, lane.id)}
          >
            <svg class="aiw-chevron" viewBox="0 0 8 8" width="8" height="8" aria-hidden="true">
              <path d="M1.5 2.5L4 5.2L6.5 2.5" fill="none" stroke="currentColor" stroke-width="1.4" />
            </svg>
            <span>
              {label}
              {!folded && hint && <small>{hint}</small>}
            </span>
          </button>
        );
      })}
    </div>
  );
}
