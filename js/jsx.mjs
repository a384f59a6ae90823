// What the build makes of JSX; see bundling.mjs.
export { Fragment, h } from "./src/dom/element";
