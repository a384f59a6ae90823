import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const jsx = fileURLToPath(new URL("test/jsx-runtime.ts", import.meta.url));

export default defineConfig({
  plugins: [
    {
      // The build inlines worklets as text; so do the tests.
      name: "worklet-text",
      enforce: "pre",
      async load(id) {
        if (!id.endsWith(".worklet.js")) return null;
        return `export default ${JSON.stringify(await readFile(id, "utf8"))}`;
      },
    },
  ],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  // Only the types of JSX are Preact's.
  resolve: { alias: { "preact/jsx-runtime": jsx, "preact/jsx-dev-runtime": jsx } },
  test: { include: ["test/**/*.test.{ts,tsx}"], environment: "node", restoreMocks: true },
});
