/** Settings of the page: those of the session, which the engine checks, and those of the microphone; and the address. */
import type { EngineSession, SettingsChange } from "../engine/engine";
import { type Changes, readSchema } from "../store/settings";
import type { Store } from "../store/store";
import { type Bounded, readAddress, writeAddress } from "./address";
import { LIVE_DEFAULTS, LIVE_NAMES, LIVE_SETTINGS, MOST_CHUNKS } from "./live-settings";

export class PageSettings {
  /** Settings of a session, as the model's manifest declares them. */
  #schema: readonly Bounded[] = [];

  constructor(
    private readonly store: Store,
    /** Takes the fragment of changed settings. */
    private readonly share: (hash: string) => void = () => {},
  ) {
    store.live.value = { ...store.live.value, ...LIVE_DEFAULTS };
  }

  /** Take over the settings that a manifest declares. */
  declare(manifest: { readonly settings?: unknown }): void {
    this.#schema = (readSchema(manifest.settings) ?? []) as readonly Bounded[];
    this.store.schema.value = [...this.#schema, ...LIVE_SETTINGS];
  }

  /** Read the settings of an address, and the sentences on those that are not possible. */
  ofAddress(hash: string): { settings: SettingsChange; refused: readonly string[] } {
    const { settings, refused } = readAddress(hash, this.#schema);
    return { settings: settings as SettingsChange, refused };
  }

  /** Show the settings of a session, here and in the address. */
  show(session: EngineSession): void {
    const settings = session.settings as unknown as Record<string, unknown>;
    this.store.settings.value = settings;
    this.share(writeAddress(settings, this.#schema));
  }

  /** Change settings, of the session only if there is one. What is refused keeps its value, and shows a sentence. */
  set(changes: Changes, session: EngineSession | null): void {
    const { store } = this;
    const refused = { ...store.refused.value };
    for (const name of Object.keys(changes)) delete refused[name];
    store.refused.value = refused;
    const { overload_chunks: chunks = 1 } = changes;
    if (!Number.isInteger(chunks) || Number(chunks) < 1 || Number(chunks) > MOST_CHUNKS) {
      const sentence = `overload_chunks must be a whole number from 1 to ${MOST_CHUNKS}, not ${String(chunks)}.`;
      store.refused.value = { ...refused, overload_chunks: sentence };
      return;
    }
    const live = Object.entries(changes).filter(([name]) => LIVE_NAMES.includes(name));
    if (live.length > 0) store.live.value = { ...store.live.value, ...Object.fromEntries(live) };
    const others = Object.entries(changes).filter(([name]) => !LIVE_NAMES.includes(name));
    if (others.length === 0 || !session) return;
    try {
      session.set(Object.fromEntries(others) as SettingsChange);
      this.show(session);
    } catch (error) {
      const sentence = error instanceof Error ? error.message : String(error);
      store.refused.value = { ...refused, ...Object.fromEntries(others.map(([name]) => [name, sentence])) };
    }
  }
}
