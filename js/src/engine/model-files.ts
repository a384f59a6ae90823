/** Files of a model: read beside the manifest, with progress, and checked against it. */

import { EngineError } from "./errors";
import { type Manifest, type ModelFile, readManifest } from "./manifest";
import type { Graphs } from "./ort-runtime";

/** Returns the content of a file beside the manifest. */
export type Read = (name: string) => Promise<ArrayBuffer>;
/** Receives the bytes that are loaded and their total, null before the manifest is read. */
export type Progress = (loaded: number, total: number | null) => void;

export interface ModelFiles {
  readonly manifest: Manifest;
  readonly graphs: Graphs;
}

/** Return a reader of the files in a folder of the web. */
export function reader(folder: string): Read {
  return async (name) => {
    const address = new URL(name, folder).href;
    let response: Response;
    try {
      response = await fetch(address);
    } catch (error) {
      throw new EngineError(`${address} could not be loaded: ${(error as Error).message}.`);
    }
    if (!response.ok)
      throw new EngineError(`${address} could not be loaded: HTTP status ${response.status}.`);
    return response.arrayBuffer();
  };
}

/**
 * Read a model.
 *
 * @throws EngineError if a file cannot be read, or has another length than the manifest says.
 */
export async function readModel(read: Read, progress: Progress = () => {}): Promise<ModelFiles> {
  progress(0, null);
  const manifest = readManifest(await read("manifest.json"));
  const { tower, step } = manifest.files;
  const total = tower.bytes + step.bytes;
  let loaded = 0;
  const part = async ({ file, bytes }: ModelFile) => {
    const content = await read(file);
    if (content.byteLength !== bytes) {
      throw new EngineError(
        `${file} has ${content.byteLength} bytes, the manifest says ${bytes}: the files are of different exports, or ` +
          "the transfer was cut. Load the page again.",
      );
    }
    loaded += content.byteLength;
    progress(loaded, total);
    return content;
  };
  const [towerGraph, stepGraph] = await Promise.all([part(tower), part(step)]);
  return { manifest, graphs: { tower: towerGraph, step: stepGraph } };
}
