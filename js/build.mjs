// Bundles the front end into the Python package: the widget, and the viewer of exported records. Each is one script and one
// style sheet, with nothing to fetch at run time, and the licences of the libraries inside.
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { SOURCES } from "./bundling.mjs";
import { generate } from "./schema-types.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const package_ = join(here, "..", "ai_widgets");
/** Largest size of the widget's files, in bytes: a notebook loads them for every widget. Recordings, branches, analyses, three views and the tour need it. */
const LARGEST_BUNDLE = 256_000;
/** Largest size of the viewer's files, in bytes: each exported page contains them. */
const LARGEST_VIEWER = 180_000;

// The worklet runs in its own global scope and is loaded from a Blob URL, so it is bundled as minified text.
const workletText = {
  name: "worklet-text",
  setup({ onLoad }) {
    onLoad({ filter: /\.worklet\.js$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), { minify: true, target: "es2022" });
      return { contents: code, loader: "text" };
    });
  },
};

/** Return the licences of the packages in a bundle, which require to be distributed with it. */
async function licensesOf({ inputs }) {
  const names = Object.keys(inputs).map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  const packages = [...new Set(names.filter(Boolean))].sort();
  const texts = packages.map(
    async (name) => `${name}\n\n${await readFile(join(here, "node_modules", name, "LICENSE"), "utf8")}`,
  );
  return (await Promise.all(texts)).join("\n\n");
}

/** Bundle one entry point, its style sheet, and the licences of its packages, into one folder of the package. */
async function bundle(name, { folder, format, largest }) {
  const out = join(package_, folder, "static");
  await mkdir(out, { recursive: true });
  const { metafile } = await build({
    absWorkingDir: here,
    entryPoints: { [name]: `src/${name}.tsx` },
    outdir: out,
    ...SOURCES,
    format,
    plugins: [workletText],
    charset: "utf8",
    legalComments: "none",
    metafile: true,
  });
  await writeFile(join(out, `${name}.licenses.txt`), await licensesOf(metafile));
  await build({
    absWorkingDir: here,
    entryPoints: { [name]: `src/style/${name}.css` },
    outdir: out,
    bundle: true,
    minify: true,
    target: ["chrome111", "firefox113", "safari16.4"],
  });
  for (const file of [`${name}.js`, `${name}.css`]) {
    const { size } = await stat(join(out, file));
    console.log(`${file}  ${(size / 1000).toFixed(1)} kB`);
    if (size > largest) throw new Error(`${file} is larger than ${largest} bytes`);
  }
}

await generate();
await bundle("widget", { folder: "widget", format: "esm", largest: LARGEST_BUNDLE });
// A script inside a page: its names must not become globals of the page.
await bundle("viewer", { folder: "record", format: "iife", largest: LARGEST_VIEWER });
