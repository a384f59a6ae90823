/** An element's attributes, listeners, style and reference, from the props of its piece. */
import type { Props } from "./element";

type Handler = (event: Event) => void;

/** One for all listeners of an element, so that a new handler needs no new listener. */
class Listeners {
  readonly handlers = new Map<string, Handler>();

  handleEvent(event: Event): void {
    this.handlers.get(event.type)?.(event);
  }
}

const listeners = new WeakMap<Element, Listeners>();

/** What belongs to a field's state, and not to its attributes. */
const LIVE = ["value", "checked"];

export function setAttributes(element: Element, before: Props, props: Props): void {
  for (const name of Object.keys({ ...before, ...props })) {
    const value = props[name];
    if (value === before[name] || name === "children" || LIVE.includes(name)) continue;
    if (name === "ref") refer(props, element);
    else if (name === "style") setStyle(element as HTMLElement, before.style, value);
    else if (name.startsWith("on"))
      listen(element, name.slice(2).toLowerCase(), value as Handler | undefined);
    else if (name === "class") setAttribute(element, name, ownNames(value));
    else setAttribute(element, name === "testid" ? "data-testid" : name, value);
  }
}

/** On the host's page, all classes but the root's begin alike; in the code they do without. */
function ownNames(classes: unknown): unknown {
  return typeof classes === "string" && classes !== "aiw" ? classes.replace(/\S+/g, "aiw-$&") : classes;
}

function setAttribute(element: Element, name: string, value: unknown): void {
  // For these, "false" says something other than nothing.
  const spoken = /^(aria|data)-/.test(name);
  if (value === undefined || value === null || (value === false && !spoken)) element.removeAttribute(name);
  else element.setAttribute(name, value === true && !spoken ? "" : String(value));
}

/** After the children are there: a list's value is one of its options. */
export function setLive(element: Element, props: Props): void {
  const field = element as unknown as Record<string, unknown>;
  for (const name of LIVE) {
    if (props[name] !== undefined && field[name] !== props[name]) field[name] = props[name];
  }
}

/** Puts the element, or null when it goes, where its piece's `ref` says. */
export function refer({ ref }: Props, element: Element | null): void {
  if (ref) (ref as { current: Element | null }).current = element;
}

function setStyle({ style }: HTMLElement, before: unknown, wanted: unknown): void {
  for (const [name, value] of Object.entries({ ...clear(before), ...(wanted as object) })) {
    // Names of CSS: a camel's hump is a dash, and custom properties are what they are.
    style.setProperty(
      name.replace(/[A-Z]/g, (hump) => `-${hump.toLowerCase()}`),
      String(value),
    );
  }
}

function clear(style: unknown): Record<string, string> {
  return Object.fromEntries(Object.keys(style ?? {}).map((name) => [name, ""]));
}

function listen(element: Element, type: string, handler: Handler | undefined): void {
  let own = listeners.get(element);
  if (!own) {
    own = new Listeners();
    listeners.set(element, own);
  }
  if (handler) {
    own.handlers.set(type, handler);
    element.addEventListener(type, own);
  } else {
    own.handlers.delete(type);
  }
}
