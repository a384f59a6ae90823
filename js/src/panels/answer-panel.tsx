/** Widget of the offline tasks: a clip or a file, a request, and the answer token by token. */
import { type Signal, useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { type Answered, AUDIO_SUFFIXES, CLIPS, MAX_ANSWER_FILE_BYTES } from "../channel/messages";
import { type Theme, watchTheme } from "../host/theme";
import { TokenSpans } from "./token-spans";
import { type Pointed, pointedAt, TokenTip } from "./token-tip";
import { walkFocus } from "./walk-focus";

/** Requests that the field offers; any other text may be typed. */
const OFFERED = [
  "Transcribe the audio.",
  "Translate the audio into English.",
  "What was said?",
  "What is heard?",
];
/** Words for each state of the widget. */
const STATES = {
  loading: "the model loads…",
  ready: "ready",
  running: "answering…",
  done: "",
  failed: "",
} as const;

interface Props {
  answer: Signal<Answered>;
  /** Ask about a clip by name, or about a file. */
  ask: (source: string | File, text: string) => Promise<void>;
  cancel: () => void;
}

export function AnswerPanel({ answer, ask, cancel }: Props) {
  const theme = useSignal<Theme>("light");
  const clip = useSignal<string>(CLIPS[0][0]);
  const file = useSignal<File | null>(null);
  const text = useSignal("");
  const refused = useSignal("");
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => watchTheme((found) => (theme.value = found)), []);
  const { state, model, problem } = answer.value;
  const running = state === "running";
  const choose = () => {
    const chosen = input.current?.files?.[0] ?? null;
    if (input.current) input.current.value = "";
    const large = chosen !== null && chosen.size > MAX_ANSWER_FILE_BYTES;
    refused.value = large
      ? `${chosen.name} is larger than ${MAX_ANSWER_FILE_BYTES / 1e6} MB. Use view.ask(path) in the notebook, or a shorter file.`
      : "";
    if (!large) file.value = chosen;
  };
  return (
    <div class="aiw" dir="ltr" data-testid="answer" data-theme={theme.value} data-state={state}>
      <form
        class="aiw-controls"
        onSubmit={(event) => {
          event.preventDefault();
          refused.value = "";
          ask(file.value ?? clip.value, text.value).catch((error: unknown) => {
            refused.value = `The file could not be read (${String(error)}). Choose it again.`;
          });
        }}
      >
        <select
          class="aiw-select"
          data-testid="answer-clip"
          aria-label="Clip or file"
          value={file.value ? "" : clip.value}
          onChange={(event) => {
            file.value = null;
            clip.value = event.currentTarget.value;
          }}
        >
          {file.value && <option value="">{file.value.name}</option>}
          {CLIPS.map(([name, title]) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </select>
        <button type="button" class="aiw-button" onClick={() => input.current?.click()}>
          Open…
        </button>
        <input
          ref={input}
          type="file"
          accept={["audio/*", ...AUDIO_SUFFIXES].join(",")}
          hidden
          data-testid="answer-file"
          aria-label="Audio file"
          onChange={choose}
        />
        <input
          class="aiw-request"
          data-testid="answer-text"
          aria-label="Request or question"
          placeholder="a request or question, or nothing"
          list="aiw-requests"
          value={text.value}
          // The host's single-key commands must not act on what is typed.
          onKeyDown={(event) => event.stopPropagation()}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
        <datalist id="aiw-requests">
          {OFFERED.map((words) => (
            <option key={words} value={words} />
          ))}
        </datalist>
        {running ? (
          <button type="button" class="aiw-button" data-testid="answer-stop" onClick={cancel}>
            Stop
          </button>
        ) : (
          <button type="submit" class="aiw-button" data-testid="answer-ask" disabled={state === "loading"}>
            Ask
          </button>
        )}
        <span class="aiw-hint" role="status">
          {STATES[state]}
        </span>
      </form>
      {(refused.value || problem) && (
        <p class="aiw-banner" role="alert" data-testid="answer-problem">
          {refused.value || problem}
        </p>
      )}
      <Tokens answer={answer.value} />
      <p class="aiw-hint">{model} · one clip of at most 20 s, heard as a whole</p>
    </div>
  );
}

function Tokens({ answer: { tokens, heard, asked, emotion, ended, notes, state } }: { answer: Answered }) {
  const pointed = useSignal<Pointed | null>(null);
  const spoken = tokens.filter((token) => token.text);
  const point = (target: EventTarget | null) => {
    pointed.value = pointedAt(target, spoken);
  };
  if (!heard) return null;
  return (
    <section class="aiw-card aiw-transcript" aria-label="Answer">
      <p class="aiw-hint" data-testid="answer-heard">
        {heard}
        {asked && ` · ${asked}`}
      </p>
      {/* biome-ignore lint/a11y/useKeyWithMouseEvents: focusin is the focus event that bubbles */}
      <p
        class="aiw-turn-text"
        dir="auto"
        data-testid="answer-said"
        data-ended={ended}
        onMouseOver={(event) => point(event.target)}
        onMouseLeave={() => point(null)}
        onFocusIn={(event) => point(event.target)}
        onFocusOut={() => point(null)}
        onKeyDown={(event) => walkFocus(event, ".aiw-token")}
      >
        <TokenSpans tokens={spoken} />
        {state === "running" && <span class="aiw-cursor" aria-hidden="true" />}
      </p>
      {(emotion || (ended && ended !== "TEXT_END")) && (
        <p class="aiw-hint">{[emotion, ended === "TEXT_END" ? "" : ended].filter(Boolean).join(" · ")}</p>
      )}
      {notes.map((note) => (
        <p key={note} class="aiw-hint" data-testid="answer-note">
          {note}
        </p>
      ))}
      {pointed.value && <TokenTip pointed={pointed.value} more="" />}
    </section>
  );
}
