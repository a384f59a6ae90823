/** Alternatives of the token under the pointer or in focus. */

import type { Token } from "../record/events";
import { probability } from "../text/exact";
import { visibleText } from "./visible-text";

/** Number of listed alternatives. */
const LISTED = 5;
/** Width of the tip in pixels, so that it is placed inside the panel. */
const TIP_PX = 200;

export interface Pointed {
  token: Token;
  left: number;
  top: number;
}

/** Return the token of an event's target, and the place of its tip in the panel. */
export function pointedAt(target: EventTarget | null, tokens: readonly Token[]): Pointed | null {
  if (!(target instanceof HTMLElement) || !target.dataset.index) return null;
  const token = tokens.find((candidate) => candidate.index === Number(target.dataset.index));
  const panel = target.closest(".aiw-transcript")?.getBoundingClientRect();
  if (!token || !panel) return null;
  const box = target.getBoundingClientRect();
  const left = Math.max(0, Math.min(box.left - panel.left, panel.width - TIP_PX));
  return { token, left, top: box.bottom - panel.top + 5 };
}

/** Render the tip; `more` says what a click does. */
export function TokenTip({ pointed, more = " · click for the draw" }: { pointed: Pointed; more?: string }) {
  const { token, left, top } = pointed;
  const others = token.alternatives.filter((other) => other.token !== token.token);
  const rows = [{ token: token.token, text: token.text, p: token.p }, ...others.slice(0, LISTED)];
  return (
    <div class="aiw-tip" role="tooltip" style={{ left: `${left}px`, top: `${top}px` }}>
      {rows.map(({ token: id, text, p }, i) => (
        <span key={id} class="aiw-tip-row" data-drawn={i === 0}>
          <span class="aiw-tip-text" dir="auto">
            {text ? visibleText(text) : `#${id}`}
          </span>
          <span class="aiw-tip-bar" aria-hidden="true">
            <span style={{ width: `${p * 100}%` }} />
          </span>
          <span>{probability(p)}</span>
        </span>
      ))}
      <small>raw probabilities{more}</small>
    </div>
  );
}
