/**
 * Store of the engine's files by their SHA-256, so that a page that is opened again does not ask the kernel for them: the
 * browser's Cache API, which exists on secure pages. Elsewhere nothing is stored.
 */

/** Name of the store; all notebooks of a server share it. */
const NAME = "ai_widgets engine";
/** Most stored files: those of about three models. */
const MOST_FILES = 24;

/** Part of the browser's caches that is used. */
export type Stores = Pick<CacheStorage, "open">;

export class FileCache {
  readonly #stores: Stores | null;

  constructor(stores: Stores | null = (globalThis.caches as Stores | undefined) ?? null) {
    this.#stores = stores;
  }

  /** Return the content that was stored under a digest; null if there is none, or no store. */
  async get(sha256: string): Promise<ArrayBuffer | null> {
    try {
      const cache = await this.#stores?.open(NAME);
      const found = await cache?.match(addressOf(sha256));
      return (await found?.arrayBuffer()) ?? null;
    } catch (error) {
      // Settings of the browser may forbid the store: the kernel sends the file.
      console.debug(error);
      return null;
    }
  }

  /** Store content, and remove the oldest beyond the limit. */
  async put(sha256: string, content: ArrayBuffer): Promise<void> {
    try {
      const cache = await this.#stores?.open(NAME);
      if (!cache) return;
      await cache.put(addressOf(sha256), new Response(content));
      const stored = await cache.keys();
      for (const request of stored.slice(0, Math.max(0, stored.length - MOST_FILES)))
        await cache.delete(request);
    } catch (error) {
      // The disk is full, or the store is forbidden: the next page asks the kernel again.
      console.debug(error);
    }
  }

  async remove(sha256: string): Promise<void> {
    try {
      const cache = await this.#stores?.open(NAME);
      await cache?.delete(addressOf(sha256));
    } catch (error) {
      // What was read from it is not used in any case.
      console.debug(error);
    }
  }
}

/** Return the address under which a file is stored; it is never requested. */
function addressOf(sha256: string): string {
  return new URL(`/ai_widgets/engine/${sha256}`, globalThis.location?.href ?? "https://localhost/").href;
}
