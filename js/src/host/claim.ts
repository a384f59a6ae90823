/** Which events are the widget's, in a page whose host and browser listen too. */

type Keys = Pick<KeyboardEvent, "ctrlKey" | "metaKey" | "altKey">;

/** What the widget has acted on is nobody else's. */
export function claim(event: Event): void {
  event.preventDefault();
  event.stopPropagation();
}

/** Combinations with these keys are the host's commands, or the browser's. */
export function isCommand({ ctrlKey, metaKey, altKey }: Keys): boolean {
  return ctrlKey || metaKey || altKey;
}
