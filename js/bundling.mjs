// How TypeScript and JSX become one script, for the widget and for the benchmark's page alike.
export const SOURCES = {
  bundle: true,
  minify: true,
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
};
