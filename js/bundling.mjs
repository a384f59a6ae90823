// How source becomes script, for the widget and for the benchmark's page alike.
export const SOURCES = {
  bundle: true,
  minify: true,
  target: "es2022",
  // `h(type, props, child, …)` is shorter than the automatic form, which names its children in an object.
  jsx: "transform",
  jsxFactory: "h",
  jsxFragment: "Fragment",
  inject: ["jsx.mjs"],
  // tsconfig.json, which is for the type checker, would have the last word.
  tsconfigRaw: "{}",
};
