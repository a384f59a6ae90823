import { readFile } from "node:fs/promises";
import { defineConfig } from "vitest/config";

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
  test: { include: ["test/**/*.test.{ts,tsx}"], environment: "node", restoreMocks: true },
});
