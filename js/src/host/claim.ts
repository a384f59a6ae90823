/** Separation of the widget's key events from those of the host and the browser, which listen on the same page. */

type Keys = Pick<KeyboardEvent, "ctrlKey" | "metaKey" | "altKey">;

/** Keep an event that the widget has handled from the host and the browser. */
export function claim(event: Event): void {
  event.preventDefault();
  event.stopPropagation();
}

/** Return whether a key event is a combination that belongs to the host or the browser. */
export function isCommand({ ctrlKey, metaKey, altKey }: Keys): boolean {
  return ctrlKey || metaKey || altKey;
}
