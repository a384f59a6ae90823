// Bundles the front end into the Python package: one ES module and one style sheet, nothing to fetch at run time.
import { mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "ai_widgets", "widget", "static");
const LARGEST_BUNDLE = 150_000;

await mkdir(out, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: { widget: "src/widget.tsx" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  // The worklet runs in another world and is loaded from a Blob URL, so it travels as text.
  loader: { ".worklet.js": "text" },
  charset: "utf8",
  legalComments: "none",
});
await build({
  absWorkingDir: here,
  entryPoints: { widget: "src/style/widget.css" },
  outdir: out,
  bundle: true,
  minify: true,
  target: ["chrome111", "firefox113", "safari16.4"],
});

for (const name of ["widget.js", "widget.css"]) {
  const { size } = await stat(join(out, name));
  console.log(`${name}  ${(size / 1000).toFixed(1)} kB`);
  if (size > LARGEST_BUNDLE) throw new Error(`${name} is larger than ${LARGEST_BUNDLE} bytes`);
}
