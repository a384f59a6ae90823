/** Settings of the page: those of the session, which the engine checks, and those of the microphone; and the address. */
import type { PendingNotice } from "../engine/admission";
import type { EngineSession, SettingsChange } from "../engine/engine";
import { type Changes, readSchema, type Values } from "../store/settings";
import type { Store } from "../store/store";
import { type Bounded, readAddress, writeAddress } from "./address";
import { LIVE_DEFAULTS, LIVE_SETTINGS, MOST_CHUNKS } from "./live-settings";

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

  /**
   * Change settings, of the session only if there is one. What is refused keeps its value, and shows a sentence.
   *
   * @returns the notice of changed settings of the page; null if there are none that a record tells.
   */
  set(changes: Changes, session: EngineSession | null): PendingNotice | null {
    const { store } = this;
    const refused = { ...store.refused.value };
    for (const name of Object.keys(changes)) delete refused[name];
    store.refused.value = refused;
    const { overload_chunks: chunks = 1 } = changes;
    if (!Number.isInteger(chunks) || Number(chunks) < 1 || Number(chunks) > MOST_CHUNKS) {
      const sentence = `overload_chunks must be a whole number from 1 to ${MOST_CHUNKS}, not ${String(chunks)}.`;
      store.refused.value = { ...refused, overload_chunks: sentence };
      return null;
    }
    if (changes.overload === "drop_oldest") {
      const sentence = "A page drops no chunk that waits: overload can be lag or pause.";
      store.refused.value = { ...refused, overload: sentence };
      return null;
    }
    // The live settings of a notebook's widget are more than those of the page.
    const before = store.live.value;
    const live = Object.entries(changes).filter(([name]) => name in before);
    if (live.length > 0) store.live.value = { ...before, ...Object.fromEntries(live) };
    const others = Object.entries(changes).filter(([name]) => !(name in before));
    const news = live.filter(([name, value]) => !UNTOLD.includes(name) && value !== before[name]);
    if (others.length > 0 && session) this.#setSession(Object.fromEntries(others), session, refused);
    return news.length > 0 ? changed(Object.fromEntries(news), store.live.value) : null;
  }

  #setSession(changes: Changes, session: EngineSession, refused: Readonly<Record<string, string>>): void {
    const { store } = this;
    const others = Object.entries(changes);
    try {
      session.set(Object.fromEntries(others) as SettingsChange);
      this.show(session);
    } catch (error) {
      const sentence = error instanceof Error ? error.message : String(error);
      store.refused.value = { ...refused, ...Object.fromEntries(others.map(([name]) => [name, sentence])) };
    }
  }
}

/** Live settings that nothing heard or decided depends on (`live_settings.py`): no notice tells them. */
const UNTOLD: readonly string[] = ["view"];

/** Build the notice of changed live settings, as a kernel does (`widget/pipeline.py`). */
function changed(news: Changes, live: Values): PendingNotice {
  const said = Object.entries(news).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return {
    kind: "settings",
    message: `Changed: ${said.join(", ")}.`,
    data: { changed: news, settings: { ...live } },
  };
}
