/** What JSX makes: descriptions of elements and components, which `render` turns into a page. */

export type Props = Readonly<Record<string, unknown>>;
export type Component = (props: never) => unknown;

export interface Piece {
  /** An element's name, a component, or "" for a text, whose words are its only child. */
  readonly type: string | Component;
  readonly props: Props;
  /** Tells it from its siblings where these may come, go and move. */
  readonly key: unknown;
}

export function h(type: string | Component, given: Props | null, ...children: unknown[]): Piece {
  const { key, ...props }: Record<string, unknown> = given ?? {};
  if (children.length > 0) props.children = children.length > 1 ? children : children[0];
  return { type, props, key };
}

export function Fragment({ children }: { children?: unknown }): unknown {
  return children;
}

/** The pieces of whatever a component returns or has as children. What shows nothing keeps its place. */
export function piecesOf(drawn: unknown): (Piece | null)[] {
  return (Array.isArray(drawn) ? drawn : [drawn]).map((child: unknown) => {
    if (child === null || child === undefined || typeof child === "boolean") return null;
    if (Array.isArray(child)) return h(Fragment, { children: child });
    return typeof child === "object" ? (child as Piece) : h("", { children: String(child) });
  });
}
