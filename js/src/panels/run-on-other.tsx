/** Other audio of a span in a branch (that of other chunks, or of a file), and another prompt. */

import { useSignal } from "@preact/signals";
import type { ForkRequest } from "../channel/channel";
import { MAX_FORK_SAMPLES } from "../channel/messages";
import { decodeAudio, MODEL_RATE } from "../playback/sound";
import { CHUNK_SECONDS } from "../record/events";
import { chunkCount } from "../record/record";
import type { View } from "../view";
import { SmallButton } from "./small-button";

interface Props {
  view: View;
  /** Beginning of the test ids. */
  id: string;
  chunk: number;
  span: number;
  /** Whether the kernel is gone. */
  lost: boolean;
  fork: (request: Omit<ForkRequest, "chunk">) => void;
}

/** Samples of a chunk. */
const CHUNK_SAMPLES = CHUNK_SECONDS * MODEL_RATE;

export function OtherAudio({ view, id, chunk, span, lost, fork }: Props) {
  const { store, selected } = view;
  const typed = useSignal<number | null>(null);
  const said = useSignal("");
  void store.version.value;
  const heard = chunkCount(store.record);
  const last = heard - span;
  // Outside the span a click on the timeline chooses the other chunk.
  const clicked = selected.value;
  const outside = clicked !== null && (clicked < chunk || clicked >= chunk + span);
  const nearest = chunk + span <= last ? chunk + span : chunk - span;
  const other = Math.min(last, Math.max(0, typed.value ?? (outside ? clicked : nearest)));
  const apart = Math.abs(other - chunk) >= span;
  const replace = async (file: File) => {
    said.value = `Reading ${file.name}…`;
    try {
      const { samples } = await decodeAudio(file);
      const room = Math.min((heard - chunk) * CHUNK_SAMPLES, MAX_FORK_SAMPLES);
      const part = samples.slice(0, room);
      if (part.length === 0) throw new Error("empty");
      const [used, all] = [part.length, samples.length].map((count) => (count / MODEL_RATE).toFixed(1));
      said.value = `${file.name}: ${part.length < samples.length ? `the first ${used} of ${all} s` : `${all} s`}, from chunk ${chunk} on.`;
      fork({ samples: part });
    } catch {
      said.value = `${file.name} has no audio that this browser can read. Choose a WAV, MP3 or FLAC file.`;
    }
  };
  return (
    <span class="aiw-run-on-here">
      {last > 0 && (
        <label title="Click a chunk outside the selected ones, or type its number">
          chunk{" "}
          <input
            class="aiw-entry"
            type="number"
            min={0}
            max={last}
            data-testid={`${id}-other`}
            value={other}
            onInput={({ currentTarget }) => {
              const given = currentTarget.valueAsNumber;
              typed.value = Number.isNaN(given) ? null : Math.round(given);
            }}
          />
          {span > 1 && ` to ${other + span - 1}`}
        </label>
      )}
      <span class="aiw-run-on-buttons">
        {last > 0 && (
          <>
            <SmallButton
              data-testid={`${id}-swap`}
              disabled={lost || !apart}
              title={
                apart
                  ? "A branch in which both exchange their audio"
                  : "Chunks that share one cannot be exchanged; choose another number"
              }
              onClick={() => fork({ audio: "swap", other })}
            >
              exchange
            </SmallButton>
            <SmallButton
              data-testid={`${id}-copy`}
              disabled={lost || other === chunk}
              title={`A branch that hears chunk ${other} in place of chunk ${chunk}`}
              onClick={() => fork({ audio: "copy", other })}
            >
              hear that here
            </SmallButton>
          </>
        )}
        <label class="aiw-small aiw-file-label" data-disabled={lost}>
          audio of a file…
          <input
            class="aiw-hidden"
            type="file"
            accept="audio/*"
            disabled={lost}
            data-testid={`${id}-file`}
            onChange={({ currentTarget }) => {
              const file = currentTarget.files?.[0];
              currentTarget.value = "";
              if (file) void replace(file);
            }}
          />
        </label>
      </span>
      <span role="status" data-testid={`${id}-said`}>
        {said.value}
      </span>
    </span>
  );
}

interface PromptProps {
  view: View;
  id: string;
  lost: boolean;
  fork: (settings: { system_prompt: string }) => void;
}

export function OtherPrompt({ view, id, lost, fork }: PromptProps) {
  const held = String(view.store.settings.value?.system_prompt ?? "");
  const typed = useSignal<string | null>(null);
  const prompt = typed.value ?? held;
  return (
    <span class="aiw-run-on-here aiw-run-on-prompt">
      <label>
        prompt{" "}
        <textarea
          class="aiw-entry"
          rows={2}
          data-testid={`${id}-prompt`}
          placeholder="the checkpoint's own"
          value={prompt}
          onInput={({ currentTarget }) => {
            typed.value = currentTarget.value;
          }}
        />
      </label>
      <SmallButton
        data-testid={`${id}-prompt-run`}
        disabled={lost || prompt === held}
        title="A branch with this prompt. The context begins with it, so this replays from the start"
        onClick={() => fork({ system_prompt: prompt })}
      >
        replay from the start with it
      </SmallButton>
    </span>
  );
}
