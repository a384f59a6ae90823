/** The settings, folded away until asked for: sampling, context, audio. Every one is the kernel's (see the fields). */
import type { ComponentChildren } from "preact";
import type { Rule } from "../record/events";
import { BY_SCRIPT } from "../speech/speech";
import type { SettingName } from "../store/settings";
import type { View } from "../view";
import { ChoiceField, SliderField, SwitchField, TypedField, type TypedMore } from "./settings-fields";

export function Settings({ view }: { view: View }) {
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
      {store.settings.value === null && (
        <p class="aiw-hint">The kernel has not said yet what its settings are.</p>
      )}
      {store.saved.value && (
        <p class="aiw-hint">These are the settings of the saved session; run the cell to change them.</p>
      )}
      <div class="aiw-settings-groups">
        <SamplingGroup view={view} />
        <ContextGroup view={view} />
        <AudioGroup view={view} />
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

/** The fields of one view, by kind; what follows the label is what only some of a kind have. */
function fieldsOf(view: View) {
  const typed = (name: SettingName, label: string, more: TypedMore = {}) => (
    <TypedField {...{ view, name, label, ...more }} />
  );
  const on = (name: SettingName, label: string, hint = "") => (
    <SwitchField {...{ view, name, label, hint }} />
  );
  const choice = (name: SettingName, label: string, choices: Readonly<Record<string, string>>) => (
    <ChoiceField {...{ view, name, label, choices }} />
  );
  return { typed, on, choice };
}

function SamplingGroup({ view }: { view: View }) {
  const rule = ruleInEffect(view);
  const { typed, on } = fieldsOf(view);
  const own = (name: keyof Rule, label: string) =>
    typed(name, label, {
      placeholder: `default ${rule[name] ?? ""}`,
    });
  return (
    <Group title="Decisions and sampling">
      <SliderField
        view={view}
        name="bias"
        label="Talkativeness"
        hint="Reply bias: added to the logit of TEXT_BEGIN."
        reach={6}
        ends={["silent", "talkative"]}
      />
      {on("greedy", "Greedy", "Always the likeliest token; no draw.")}
      <div class="aiw-field-row">
        {own("temperature", "Temperature")}
        {own("top_k", "Top-k")}
        {own("top_p", "Top-p")}
        {typed("seed", "Seed")}
      </div>
      {on(
        "mask",
        "Mask",
        "Decisions are drawn from KEEP_SILENCE and TEXT_BEGIN only. Off: other tokens may come, as violations.",
      )}
    </Group>
  );
}

/** The sampling rule of the newest decision; empty before there is one. */
function ruleInEffect({ store }: View): Partial<Rule> {
  void store.version.value;
  const { decisions } = store.record;
  return decisions.get(decisions.length - 1)?.rule ?? {};
}

/** What stands for the positions where none were chosen: the number that is in effect, the checkpoint’s or the policy’s. */
function ownLimit({ store }: View): string {
  void store.version.value;
  const { decisions } = store.record;
  const limit = decisions.get(decisions.length - 1)?.limit ?? store.vocabulary.value.limit;
  return limit > 0 ? `${limit} in effect` : "the checkpoint’s";
}

function ContextGroup({ view }: { view: View }) {
  const { typed, choice } = fieldsOf(view);
  return (
    <Group title="Context and limits">
      {choice("context", "When the context is full", {
        slide: "slide: forget the oldest",
        reset: "reset: start over",
        stop: "stop the session",
      })}
      <div class="aiw-field-row">
        {typed("context_limit", "Positions", { placeholder: ownLimit(view) })}
        {typed("max_reply_tokens", "Tokens a reply", { placeholder: "no limit" })}
        {typed("max_new_tokens", "Tokens a session", { placeholder: "the policy’s" })}
      </div>
      {typed("system_prompt", "System prompt", {
        lines: 3,
        placeholder: "as the checkpoint was trained",
        hint: "The context starts over with it at the next chunk. Ctrl+Enter asks for it.",
      })}
    </Group>
  );
}

function AudioGroup({ view }: { view: View }) {
  const { counters, track, readingAloud, live } = view.store;
  const { typed, on, choice } = fieldsOf(view);
  const { lag_s, dropped_chunks, dropped_s, let_go_s } = counters.value;
  const echo = readingAloud.value && live.value.reading === "listen";
  return (
    <Group title="Audio">
      <div class="aiw-field-row aiw-switches">
        {on("echo_cancellation", "Echo cancellation")}
        {on("noise_suppression", "Noise suppression")}
        {on("auto_gain", "Automatic gain")}
      </div>
      <p class="aiw-field-hint" data-testid="track">
        {track.value
          ? `In effect: ${trackText(track.value)}`
          : "Off lets the model hear what the microphone hears."}
        {echo && " Echo cancellation is on while a reply is read aloud."}
      </p>
      {choice("arrival", "Sound that arrives while it speaks", {
        keep: "keep: heard after the reply",
        drop: "drop: never heard",
        interrupt: "interrupt the reply",
      })}
      {choice("reading", "Microphone while a reply is read aloud", {
        mute: "gated: the model hears silence",
        listen: "listens, with echo cancellation",
      })}
      <VoiceField view={view} />
      <div class="aiw-field-row">
        {choice("overload", "When the model is too slow", {
          lag: "lag behind",
          drop_oldest: "drop the oldest",
          pause: "pause the intake",
        })}
        {typed("overload_chunks", "from so many chunks on")}
      </div>
      <p class="aiw-field-hint" data-testid="counters">
        Lag {lag_s.toFixed(1)} s · dropped {dropped_chunks} chunks ({dropped_s.toFixed(1)} s) · let go of{" "}
        {let_go_s.toFixed(0)} s of recorded sound
      </p>
    </Group>
  );
}

/** In which language replies are read aloud. The browser's own matter: the kernel has no part in it. */
function VoiceField({ view }: { view: View }) {
  const { speech } = view.channel;
  const id = `${view.id}-voice`;
  if (!speech.available) return null;
  return (
    <div class="aiw-field" data-testid="field-voice">
      <label class="aiw-field-label" for={id}>
        Language of the voice
      </label>
      <select
        id={id}
        class="aiw-select"
        aria-describedby={`${id}-hint`}
        value={speech.language.value}
        onChange={({ currentTarget }) => speech.chooseLanguage(currentTarget.value)}
      >
        <option value={BY_SCRIPT}>by the script of each sentence</option>
        {speech.languages.map(({ language, name }) => (
          <option key={language} value={language}>
            {name}
          </option>
        ))}
      </select>
      <span id={`${id}-hint`} class="aiw-field-hint">
        Kept in this browser. With a script of several languages, this page’s own counts.
      </span>
    </div>
  );
}

const TRACK_SWITCHES: readonly (readonly [name: string, words: string])[] = [
  ["echoCancellation", "echo cancellation"],
  ["noiseSuppression", "noise suppression"],
  ["autoGainControl", "automatic gain"],
];

/** What the browser says that it does to the microphone's sound. */
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
