/** Preferences of the user (not of a session), kept in the browser's storage for all widgets of a site. */

const PREFIX = "ai_widgets.";

/** Return a stored preference, or null; also null without storage. */
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
    // Without storage, the choice holds until the page is closed.
  }
}
