/** Choice of the view: show, explore or teach. */

import { VIEW_NAMES, type ViewName } from "../store/view-name";
import { chooseView, type SessionView } from "../view";
import { BarButton } from "./bar-button";

const WORDS: Record<ViewName, readonly [label: string, title: string]> = {
  show: ["Show", "Large state, decisions and replies, for the front of a room"],
  explore: ["Explore", "All lanes, and all numbers of every chunk"],
  teach: ["Teach", "One phase of the loop at a time, with a guess before each decision"],
};

export function ViewPicker({ view }: { view: SessionView }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for fields, and hosts frame it.
    <span class="aiw-views" role="group" aria-label="View">
      {VIEW_NAMES.map((name) => (
        <BarButton
          key={name}
          name={`view-${name}`}
          title={WORDS[name][1]}
          pressed={view.name.value === name}
          press={() => chooseView(view, name)}
        >
          {WORDS[name][0]}
        </BarButton>
      ))}
    </span>
  );
}
