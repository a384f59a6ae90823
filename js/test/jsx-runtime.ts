/** What vitest makes of JSX; the build calls `h` itself. */
import { Fragment, h, type Piece, type Props } from "../src/dom/element";

export { Fragment };

export function jsxDEV(type: Piece["type"], props: Props, key?: unknown): Piece {
  return h(type, key === undefined ? props : { ...props, key });
}

export { jsxDEV as jsx, jsxDEV as jsxs };
