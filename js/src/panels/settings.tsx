/** Settings panel, closed at first: fields declared by the kernel's schema, and settings of the browser. */
import type { ComponentChildren } from "preact";
import { isPolicy } from "../store/policy";
import type { Setting, Values } from "../store/settings";
import type { SessionView } from "../view";
import { ChoiceField, SliderField, SwitchField, TypedField } from "./settings-fields";
import { VoiceFields } from "./voice-fields";

export function Settings({ view }: { view: SessionView }) {
  if (!view.settingsOpen.value) return null;
  const { store } = view;
  return (
    <section
      id={`${view.id}-settings`}
      class="aiw-card aiw-settings"
      aria-label="Settings"
      data-testid="settings"
      onKeyDown={(event) => {
        if (event.key !== "Escape" || event.defaultPrevented) return;
        view.settingsOpen.value = false;
        event.stopPropagation();
      }}
    >
      {(store.settings.value === null || store.schema.value.length === 0) && (
        <p class="aiw-hint">
          {store.runsIn === "kernel"
            ? "The kernel has not sent its settings yet."
            : "The settings are shown when the model is loaded."}
        </p>
      )}
      {store.saved.value && (
        <p class="aiw-hint">These are the settings of the saved session; run the cell to change them.</p>
      )}
      {isPolicy(store) && (
        <p class="aiw-hint" data-testid="settings-of-policy">
          This policy has no sampling, context or prompt, so their settings are not shown. Its own parameters
          are set in Python, when it is created.
        </p>
      )}
      <div class="aiw-settings-groups">
        {[...grouped(store.schema.value)].map(([title, settings]) => (
          <Group key={title} title={title}>
            {inRows(settings).map((row) =>
              row.length === 1 ? (
                row.map((setting) => <SettingField key={setting.name} {...{ view, setting }} />)
              ) : (
                <div key={row[0]?.name} class="aiw-field-row">
                  {row.map((setting) => (
                    <SettingField key={setting.name} {...{ view, setting }} />
                  ))}
                </div>
              ),
            )}
          </Group>
        ))}
        <BrowserGroup view={view} />
      </div>
    </section>
  );
}

function Group({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <fieldset class="aiw-group">
      <legend>{title}</legend>
      {children}
    </fieldset>
  );
}

/** Group settings; groups and settings keep the order of the schema. */
function grouped(schema: readonly Setting[]): ReadonlyMap<string, Setting[]> {
  const groups = new Map<string, Setting[]>();
  for (const setting of schema) groups.set(setting.group, [...(groups.get(setting.group) ?? []), setting]);
  return groups;
}

/** Split a group into rows: consecutive numbers share a row, any other setting has its own. */
function inRows(settings: readonly Setting[]): Setting[][] {
  const rows: Setting[][] = [];
  for (const setting of settings) {
    const before = rows.at(-1);
    if (before?.every(isTypedNumber) && isTypedNumber(setting)) before.push(setting);
    else rows.push([setting]);
  }
  return rows;
}

function isTypedNumber({ kind, scale }: Setting): boolean {
  return (kind === "int" || kind === "float") && scale === null;
}

function SettingField({ view, setting }: { view: SessionView; setting: Setting }) {
  if (setting.kind === "bool") return <SwitchField {...{ view, setting }} />;
  if (setting.kind === "choice") return <ChoiceField {...{ view, setting }} />;
  if (setting.scale) return <SliderField {...{ view, setting }} />;
  return <TypedField {...{ view, setting, placeholder: placeholderOf(view, setting) }} />;
}

/** Return the placeholder of an empty field: the value in effect, if known, else the meaning of null. */
function placeholderOf({ store }: SessionView, { name, unset }: Setting): string {
  void store.version.value;
  const { decisions } = store.record;
  const newest = decisions.get(decisions.length - 1);
  const limit = newest?.limit ?? store.vocabulary.value.limit;
  const inEffect: Values = { ...newest?.rule, ...(limit > 0 ? { context_limit: limit } : {}) };
  return unset && typeof inEffect[name] === "number" ? `${inEffect[name]} in effect` : unset;
}

/** Render the settings of this browser, and the processing that the track reports. */
function BrowserGroup({ view }: { view: SessionView }) {
  const { counters, track, readingAloud, live } = view.store;
  const { lag_s, dropped_chunks, dropped_s, discarded_s } = counters.value;
  const echo = readingAloud.value && live.value.reading === "listen";
  return (
    <Group title="In this browser">
      <p class="aiw-field-hint" data-testid="track">
        {track.value
          ? `Microphone: ${trackText(track.value)}`
          : "Without processing, the model hears what the microphone hears."}
        {echo && " Echo cancellation is on while a reply is read aloud."}
      </p>
      <VoiceFields view={view} />
      <p class="aiw-field-hint" data-testid="counters">
        Lag {lag_s.toFixed(1)} s · dropped {dropped_chunks} chunks ({dropped_s.toFixed(1)} s) · discarded{" "}
        {discarded_s.toFixed(0)} s of recorded sound
      </p>
    </Group>
  );
}

const TRACK_SWITCHES: readonly (readonly [name: string, words: string])[] = [
  ["echoCancellation", "echo cancellation"],
  ["noiseSuppression", "noise suppression"],
  ["autoGainControl", "automatic gain"],
];

/** Describe the browser's processing of the microphone's sound. */
export function trackText(track: Readonly<Record<string, unknown>>): string {
  const parts: string[] = [];
  const { rate, channelCount } = track;
  if (typeof rate === "number") parts.push(`${rate / 1000} kHz`);
  if (typeof channelCount === "number") parts.push(channelCount === 1 ? "mono" : `${channelCount} channels`);
  for (const [name, words] of TRACK_SWITCHES) {
    if (name in track) parts.push(`${words} ${track[name] === false ? "off" : "on"}`);
  }
  return `${parts.join(", ")}.`;
}
