/** Which folder of `src` may import from which: what is recorded and drawn knows nothing of microphone and kernel. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const SOURCES = fileURLToPath(new URL("../src", import.meta.url));

/** By folder: folders or single modules that it may import from, beside itself and packages. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  text: [],
  record: ["text"],
  engine: ["record"],
  store: ["record", "text", "channel/messages"],
  style: ["record"],
  speech: ["store", "playback"],
  playback: ["store"],
  channel: ["store", "record", "text", "speech", "playback"],
  host: ["channel/link"],
  mirror: ["page", "engine", "channel", "capture/host", "store", "record", "text"],
  capture: ["channel", "store", "record", "text", "playback/sound"],
  panels: [
    ...["store", "record", "text", "style", "speech", "playback", "host", "view"],
    ...["channel/channel", "channel/messages", "channel/record-channel"],
  ],
  timeline: ["store", "record", "text", "style", "host", "view", "panels/bar-button"],
  branches: ["panels", "timeline", "store", "record", "view", "channel/messages"],
  view: ["store", "record", "channel/channel", "channel/messages"],
  tour: ["panels", "store", "record", "view", "channel/messages"],
  show: ["panels", "store", "record", "view"],
  app: ["panels", "timeline", "branches", "show", "tour", "store", "record", "host", "view"],
  "viewer-app": [
    "branches",
    "panels",
    "timeline",
    "store",
    "record",
    "host",
    "view",
    "channel/record-channel",
  ],
};

interface Import {
  from: string;
  to: string;
}

const FILES = readdirSync(SOURCES, { recursive: true, encoding: "utf8" }).filter(
  (name) => /\.tsx?$/.test(name) && !name.endsWith(".d.ts"),
);

/** Every relative import of a module below `src`, both ends without suffix: `panels/strip` → `store/store`. */
function imports(): Import[] {
  return FILES.flatMap((name) => {
    const source = readFileSync(join(SOURCES, name), "utf8");
    return [...source.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map(([, path]) => ({
      from: name.replace(/\.tsx?$/, ""),
      to: relative(SOURCES, join(SOURCES, dirname(name), path as string)),
    }));
  });
}

const folderOf = (module: string) => module.split("/")[0] as string;

it("each folder imports only from the folders below it", () => {
  const all = imports();
  expect(all.length).toBeGreaterThan(100);
  const refused = all.filter(({ from, to }) => {
    const allowed = ALLOWED[folderOf(from)];
    if (!allowed || folderOf(from) === folderOf(to)) return false;
    return !allowed.includes(folderOf(to)) && !allowed.includes(to);
  });
  expect(refused.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
});

it("every folder has its rule, and no import goes round in a circle", () => {
  const folders = new Set(FILES.map((name) => folderOf(name.replace(/\.tsx?$/, ""))));
  // Those that put the parts together may import all of them.
  for (const name of [
    "widget",
    "viewer",
    "page-widget",
    "answer",
    "conversation",
    "live-channel",
    "front-end",
    "page",
  ])
    folders.delete(name);
  expect([...folders].sort()).toEqual(Object.keys(ALLOWED).sort());

  const next = new Map<string, string[]>();
  for (const { from, to } of imports()) next.set(from, [...(next.get(from) ?? []), to]);
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (module: string, path: readonly string[]): void => {
    if (path.includes(module)) circles.push([...path.slice(path.indexOf(module)), module].join(" → "));
    if (done.has(module) || path.includes(module)) return;
    for (const to of next.get(module) ?? []) visit(to, [...path, module]);
    done.add(module);
  };
  for (const module of next.keys()) visit(module, []);
  expect(circles).toEqual([]);
});
