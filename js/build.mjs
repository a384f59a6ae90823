// Bundles the front end into the Python package: one ES module and one style sheet, nothing to fetch at run time, and the
// licences of the libraries inside.
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { SOURCES } from "./bundling.mjs";
import { generate } from "./schema-types.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "ai_widgets", "widget", "static");
const LARGEST_BUNDLE = 220_000;

// The worklet runs in another world and is loaded from a Blob URL, so it travels as text: minified text.
const workletText = {
  name: "worklet-text",
  setup({ onLoad }) {
    onLoad({ filter: /\.worklet\.js$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), { minify: true, target: "es2022" });
      return { contents: code, loader: "text" };
    });
  },
};

/** The licences of the packages that a bundle holds parts of: each asks to be passed on with it. */
async function licensesOf({ inputs }) {
  const names = Object.keys(inputs).map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  const packages = [...new Set(names.filter(Boolean))].sort();
  const texts = packages.map(
    async (name) => `${name}\n\n${await readFile(join(here, "node_modules", name, "LICENSE"), "utf8")}`,
  );
  return (await Promise.all(texts)).join("\n\n");
}

await generate();
await mkdir(out, { recursive: true });
const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: { widget: "src/widget.tsx" },
  outdir: out,
  ...SOURCES,
  format: "esm",
  plugins: [workletText],
  charset: "utf8",
  legalComments: "none",
  metafile: true,
});
await writeFile(join(out, "widget.licenses.txt"), await licensesOf(metafile));
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
