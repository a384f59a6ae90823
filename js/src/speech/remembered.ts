/** Preferences of the person (not of a session), kept in the browser's storage for all widgets of a site. */

const PREFIX = "ai_widgets.";

/** What was remembered, or null. A page without storage remembers nothing. */
export function remembered(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // A page without storage: the choice holds until it is closed.
  }
}
