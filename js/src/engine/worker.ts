/** Entry of the engine's Web Worker. The build bundles it with onnxruntime-web into one script. */

import { OrtRuntime } from "./ort-runtime";
import { EngineServer } from "./server";
import type { Port } from "./worker-messages";

new EngineServer(globalThis as unknown as Port, ({ manifest, graphs, wasm, threads }) =>
  OrtRuntime.load(manifest, graphs, { wasm, threads }),
);
