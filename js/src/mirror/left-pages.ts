/**
 * Names of the pages that this tab has shown before: a page that is reloaded has a new name, and what Python asks of the
 * page before is for it.
 */

const KEY = "ai_widgets.left_pages";
/** Most names that are kept: a tab may show several widgets and be reloaded often. */
const MOST_NAMES = 50;

/** Store the name of a page that ends, for the next page of this tab. */
export function leavePage(name: string): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify([...leftPages(), name].slice(-MOST_NAMES)));
  } catch {
    // A page without storage: Python's requests wait for the next recording.
  }
}

/** Return the names of the pages that have ended in this tab. */
export function leftPages(): readonly string[] {
  try {
    const names = JSON.parse(sessionStorage.getItem(KEY) ?? "[]") as unknown;
    return Array.isArray(names) ? names.map(String) : [];
  } catch {
    return [];
  }
}
