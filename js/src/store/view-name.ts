/** The three views of a session, and the one that a page begins with. */
import { remember, remembered } from "./remembered";

/** For the front of a room; everything; and the loop step by step with guesses. */
export const VIEW_NAMES = ["show", "explore", "teach"] as const;
export type ViewName = (typeof VIEW_NAMES)[number];

const REMEMBERED = "view";

function isViewName(value: unknown): value is ViewName {
  return VIEW_NAMES.includes(value as ViewName);
}

/**
 * Return the view to begin with: the one that Python asks for, else the one chosen last in this browser, else the one for
 * a first visit.
 */
export function firstView(asked: unknown, firstVisit: ViewName = "explore"): ViewName {
  if (isViewName(asked)) return asked;
  const chosen = remembered(REMEMBERED);
  return isViewName(chosen) ? chosen : firstVisit;
}

export function rememberView(name: ViewName): void {
  remember(REMEMBERED, name);
}
