/** Choices of the voice that reads replies aloud. The browser keeps them; the kernel is not involved. */

import { BY_LANGUAGE, BY_SCRIPT, FASTEST, SLOWEST } from "../speech/speech";
import type { SessionView } from "../view";

export function VoiceFields({ view }: { view: SessionView }) {
  if (!view.channel.speech.available) return null;
  return (
    <>
      <LanguageField view={view} />
      <VoiceField view={view} />
      <RateField view={view} />
    </>
  );
}

function LanguageField({ view }: { view: SessionView }) {
  const { speech } = view.channel;
  const id = `${view.id}-voice`;
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
        Stored in this browser. A script of several languages is read in this page’s language.
      </span>
    </div>
  );
}

function VoiceField({ view }: { view: SessionView }) {
  const { speech } = view.channel;
  const id = `${view.id}-voice-name`;
  const chosen = speech.voice.value;
  const voices = speech.voiceNames;
  if (voices.length === 0 && chosen === BY_LANGUAGE) return null;
  const absent = chosen !== BY_LANGUAGE && !voices.some(({ name }) => name === chosen);
  return (
    <div class="aiw-field" data-testid="field-voice-name">
      <label class="aiw-field-label" for={id}>
        Voice
      </label>
      <select
        id={id}
        class="aiw-select"
        aria-describedby={`${id}-hint`}
        value={chosen}
        onChange={({ currentTarget }) => speech.chooseVoice(currentTarget.value)}
      >
        <option value={BY_LANGUAGE}>the system’s, for each language</option>
        {absent && <option value={chosen}>{chosen} (not installed)</option>}
        {voices.map(({ name, language }) => (
          <option key={name} value={name}>
            {name} ({language})
          </option>
        ))}
      </select>
      <span id={`${id}-hint`} class="aiw-field-hint">
        Reads sentences in its own language; others have the system’s voice.
      </span>
    </div>
  );
}

function RateField({ view }: { view: SessionView }) {
  const { speech } = view.channel;
  const id = `${view.id}-voice-rate`;
  const said = `${speech.rate.value.toFixed(1)}×`;
  return (
    <div class="aiw-field" data-testid="field-voice-rate">
      <label class="aiw-field-label" for={id}>
        Speed of the voice <output for={id}>{said}</output>
      </label>
      <input
        id={id}
        type="range"
        min={SLOWEST}
        max={FASTEST}
        step={0.1}
        value={speech.rate.value}
        aria-valuetext={said}
        onInput={({ currentTarget }) => speech.chooseRate(currentTarget.valueAsNumber)}
      />
    </div>
  );
}
