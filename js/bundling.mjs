// Options of the bundler for TypeScript and JSX, shared by the widget and the page of the benchmark.
export const SOURCES = {
  bundle: true,
  minify: true,
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
};
