// What the build makes of JSX; see build.mjs.
export { Fragment, h } from "./src/dom/element";
