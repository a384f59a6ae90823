// Bundles the page of the frame benchmark into the folder that is given: node bench/build.mjs <folder>
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { SOURCES } from "../bundling.mjs";

const folder = process.argv[2];
if (!folder) throw new Error("Name the folder to write to: node bench/build.mjs <folder>");
const here = dirname(fileURLToPath(import.meta.url));

await build({
  absWorkingDir: join(here, ".."),
  entryPoints: { page: "bench/page.tsx", style: "src/style/widget.css" },
  outdir: folder,
  ...SOURCES,
  format: "iife",
  loader: { ".worklet.js": "text" },
  logLevel: "warning",
});
await writeFile(
  join(folder, "index.html"),
  '<!doctype html><meta charset="utf-8"><title>Timeline</title><link rel="stylesheet" href="style.css">' +
    '<div id="widget"></div><script src="page.js"></script>',
);
