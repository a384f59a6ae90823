// Makes TypeScript of the JSON Schemas in schema/, which Python writes from its typed structs (tests/wire_schema.py).
// `make schema` writes both; the build writes the TypeScript first, and a test holds it equal to the schemas.
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const WIDTH = 110;
const TYPES = { integer: "number", number: "number", string: "string", boolean: "boolean", null: "null" };

/** Generated files: the schema of each, and the files that its imports come from. */
export const GENERATED = {
  "src/record/events.ts": { schema: "events.json", imports: {} },
  "src/channel/messages.ts": { schema: "messages.json", imports: { "events.json": "../record/events" } },
};

/** Return the TypeScript type of a part of a schema. */
export function typeOf(part) {
  if (part.$ref) return part.$ref.split("/").at(-1);
  if (part.enum) return part.enum.map((word) => JSON.stringify(word)).join(" | ");
  if (part.anyOf) return part.anyOf.map(typeOf).join(" | ");
  if (Array.isArray(part.type)) return part.type.map((type) => typeOf({ type })).join(" | ");
  if (part.prefixItems) return `readonly [${part.prefixItems.map(typeOf).join(", ")}]`;
  if (part.type === "array") return arrayOf(typeOf(part.items ?? {}));
  if (part.type === "object") return `Readonly<Record<string, ${typeOf(part.additionalProperties || {})}>>`;
  if (part.type && !(part.type in TYPES)) throw new Error(`no TypeScript type for ${JSON.stringify(part)}`);
  return TYPES[part.type] ?? "unknown";
}

function arrayOf(item) {
  return /^\w+$/.test(item) ? `readonly ${item}[]` : `readonly (${item})[]`;
}

/** Format a documentation comment in lines of at most `WIDTH`; empty without a text. */
function comment(text, indent = "") {
  if (!text) return "";
  if (indent.length + text.length + 7 <= WIDTH) return `${indent}/** ${text} */\n`;
  const lines = [""];
  for (const word of text.split(" ")) {
    if (indent.length + 3 + lines.at(-1).length + word.length + 1 > WIDTH) lines.push("");
    lines[lines.length - 1] += ` ${word}`;
  }
  return `${indent}/**\n${lines.map((line) => `${indent} *${line}\n`).join("")}${indent} */\n`;
}

function definition(name, part) {
  const head = comment(part.description);
  if (!part.properties) return `${head}export type ${name} = ${typeOf(part)};\n`;
  let said = "";
  const fields = Object.entries(part.properties).map(([field, value]) => {
    // One sentence may describe several consecutive fields.
    const words = value.description === said ? "" : comment(value.description, "  ");
    said = value.description;
    const optional = part.required?.includes(field) ? "" : "?";
    return `${words}  readonly ${field}${optional}: ${typeOf(value)};\n`;
  });
  return `${head}export interface ${name} {\n${fields.join("")}}\n`;
}

/** Return the TypeScript source of a schema file. */
export function typescript({ constants = {}, $defs }, name, imports = {}) {
  const text = JSON.stringify($defs);
  const used = Object.entries(imports).map(([file, from]) => {
    const names = new Set(text.match(new RegExp(`(?<="${file}#/\\$defs/)\\w+`, "g")));
    return `import type { ${[...names].sort().join(", ")} } from "${from}";\n`;
  });
  const values = Object.entries(constants).map(
    ([constant, value]) =>
      `export const ${constant} = ${JSON.stringify(value)}${Array.isArray(value) ? " as const" : ""};\n`,
  );
  return [
    `// Generated from schema/${name}: do not edit. After a change in Python, run: make schema\n`,
    used.join(""),
    values.join(""),
    ...Object.entries($defs).map(([of, part]) => definition(of, part)),
  ]
    .filter(Boolean)
    .join("\n");
}

/** Return the TypeScript source of each generated file, by its path. */
export async function sources() {
  const made = Object.entries(GENERATED).map(async ([path, { schema, imports }]) => {
    const read = await readFile(join(here, "schema", schema), "utf8");
    return [path, typescript(JSON.parse(read), schema, imports)];
  });
  return new Map(await Promise.all(made));
}

/** Write every generated file that differs from its schema. */
export async function generate() {
  for (const [path, source] of await sources()) {
    const file = join(here, path);
    if ((await readFile(file, "utf8").catch(() => "")) !== source) await writeFile(file, source);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await generate();
