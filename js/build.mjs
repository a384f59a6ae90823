// Bundles the front end into the Python package: the widget, the widget whose model runs in the notebook's page, the widget
// of single answers, the viewer of exported records, and the page with the model in it. Each is one script and one style sheet, with nothing to fetch from another host, and the
// licences of the libraries inside. The page also has its engine's worker, the WASM file of onnxruntime, and its service worker.
import { copyFile, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { SOURCES } from "./bundling.mjs";
import { generate } from "./schema-types.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const package_ = join(here, "..", "ai_widgets");
/** Largest size of the widget's files, in bytes: a notebook loads them for every widget. Recordings, branches, analyses, three views and the tour need it. */
const LARGEST_BUNDLE = 256_000;
/** Largest size of the script of the widget whose model runs in the page, in bytes: the widget's, and the page's loop. */
const LARGEST_PAGE_WIDGET = 420_000;
/** Largest size of the files of `AnswerView`, in bytes. */
const LARGEST_ANSWER = 60_000;
/** Largest size of the viewer's files, in bytes: each exported page contains them. */
const LARGEST_VIEWER = 180_000;
/** Largest size of the page's script, its style sheet and its engine's worker, in bytes: the WASM file is far larger. */
const LARGEST_PAGE = 380_000;
/** WASM file of onnxruntime that the engine loads; the others of the package have WebGPU and other ways to wait. */
const ORT_WASM = "ort-wasm-simd-threaded.wasm";

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
  const texts = packages.map(async (name) => `${name}\n\n${await readFile(licenseOf(name), "utf8")}`);
  return (await Promise.all(texts)).join("\n\n");
}

/** Return the file with the licence of a package. The packages of onnxruntime name theirs, and do not contain it. */
function licenseOf(name) {
  const named = name.startsWith("onnxruntime-");
  return named ? join(here, "licenses", "onnxruntime.txt") : join(here, "node_modules", name, "LICENSE");
}

/** Bundle one entry point, its style sheet if it has its own, and the licences of its packages, into one folder of the package. */
async function bundle(name, { folder, format, largest, external = [], source = name, styled = true }) {
  const out = join(package_, folder, "static");
  await mkdir(out, { recursive: true });
  const { metafile } = await build({
    absWorkingDir: here,
    entryPoints: { [name]: `src/${source}.tsx` },
    outdir: out,
    ...SOURCES,
    format,
    external,
    plugins: [workletText],
    charset: "utf8",
    legalComments: "none",
    metafile: true,
  });
  await writeFile(join(out, `${name}.licenses.txt`), await licensesOf(metafile));
  await checkSize(join(out, `${name}.js`), largest);
  if (!styled) return metafile;
  await build({
    absWorkingDir: here,
    entryPoints: { [name]: `src/style/${name}.css` },
    outdir: out,
    bundle: true,
    minify: true,
    target: ["chrome111", "firefox113", "safari16.4"],
  });
  await checkSize(join(out, `${name}.css`), largest);
  return metafile;
}

async function checkSize(path, largest) {
  const { size } = await stat(path);
  console.log(`${basename(path)}  ${(size / 1000).toFixed(1)} kB`);
  if (size > largest) throw new Error(`${basename(path)} is larger than ${largest} bytes`);
}

/** Build the page, and add what it needs beside its script and style sheet. */
async function page() {
  // A script of the page, or inside it. The runtime is in the worker only.
  const script = await bundle("page", {
    ...{ folder: "page", format: "iife", largest: LARGEST_PAGE },
    external: ["./ort-runtime"],
  });
  const out = join(package_, "page", "static");
  const { metafile } = await build({
    absWorkingDir: here,
    entryPoints: { "engine-worker": "src/engine/worker.ts" },
    outdir: out,
    ...SOURCES,
    // A worker that is made of a Blob can be no module in every browser.
    format: "iife",
    charset: "utf8",
    legalComments: "none",
    metafile: true,
  });
  const inputs = { ...script.inputs, ...metafile.inputs };
  await writeFile(join(out, "page.licenses.txt"), await licensesOf({ inputs }));
  await checkSize(join(out, "engine-worker.js"), LARGEST_PAGE);
  const { code } = await transform(await readFile(join(here, "src/page/sw.js"), "utf8"), {
    minify: true,
    target: "es2022",
  });
  await writeFile(join(out, "sw.js"), code);
  await copyFile(join(here, "src/page/index.html"), join(out, "index.html"));
  await copyFile(join(here, "node_modules/onnxruntime-web/dist", ORT_WASM), join(out, ORT_WASM));
}

await generate();
await bundle("widget", { folder: "widget", format: "esm", largest: LARGEST_BUNDLE });
// It has the widget's style sheet.
await bundle("page_widget", {
  ...{ folder: "widget", format: "esm", largest: LARGEST_PAGE_WIDGET, source: "page-widget", styled: false },
  // The runtime is in the worker only, which the kernel sends.
  external: ["./ort-runtime"],
});
// A script inside a page: its names must not become globals of the page.
await bundle("answer", { folder: "widget", format: "esm", largest: LARGEST_ANSWER });
await bundle("viewer", { folder: "record", format: "iife", largest: LARGEST_VIEWER });
await page();
