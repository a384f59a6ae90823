/** One tab stop for a row of elements: the arrow keys, Home and End move among those that match `selector`. */
import { claim, isCommand } from "../host/claim";
export function walkFocus(event: KeyboardEvent, selector: string): void {
  const row = event.currentTarget;
  const at = event.target;
  if (!(row instanceof Element) || !(at instanceof Element) || isCommand(event)) return;
  const things = [...row.querySelectorAll<HTMLElement>(selector)];
  const place = things.indexOf(at as HTMLElement);
  const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: things.length - 1 }[event.key];
  if (place < 0 || to === undefined) return;
  claim(event);
  things[to]?.focus();
}
