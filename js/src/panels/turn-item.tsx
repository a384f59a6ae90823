/** One reply of the transcript. All text of the model is set as text nodes, never as HTML. */

import type { Signal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { Token } from "../record/events";
import type { TurnRecord } from "../record/record";
import type { View } from "../view";
import { CopyButton } from "./copy-button";
import { EmotionSign } from "./emotion-sign";
import { Icon } from "./icon";
import { SmallButton } from "./small-button";
import { TokenSpans } from "./token-spans";
import { type Pointed, pointedAt } from "./token-tip";
import { walkFocus } from "./walk-focus";

interface Props {
  turn: TurnRecord;
  /** Version of `turn`, which changes in place. */
  version: number;
  start: number;
  reading: boolean;
  view: View;
  /** Token under the pointer or in focus. */
  pointed: Signal<Pointed | null>;
}

const ENDINGS = {
  limit: "truncated at the limit",
  interrupted: "interrupted",
  error: "ended by an error",
  TEXT_END: "",
};

/** Render a reply; again only when it grows or is read aloud, independent of the number of replies. */
export function TurnItem(props: Props) {
  const { turn, version, start, reading } = props;
  return useMemo(() => <Turn {...props} />, [turn, version, start, reading]);
}

function Turn({ turn, start, reading, view, pointed }: Props) {
  const spoken = turn.tokens.filter((token) => token?.text);
  const point = (target: EventTarget | null) => {
    pointed.value = pointedAt(target, spoken);
  };
  const ending = turn.ended === null ? "" : ENDINGS[turn.ended];
  return (
    <li
      class="aiw-turn"
      data-testid="turn"
      data-turn={turn.turn}
      data-ended={turn.ended ?? ""}
      data-reading={reading}
    >
      <button
        type="button"
        class="aiw-turn-time"
        title="Show in the timeline"
        onClick={() => {
          view.token.value = null;
          openChunk(view, turn.chunk);
        }}
      >
        {clock(start)}
      </button>
      <div class="aiw-turn-body">
        {turn.emotion && <EmotionSign emotion={turn.emotion} />}
        {/* biome-ignore lint/a11y/noStaticElementInteractions: the tokens inside take the focus */}
        {/* biome-ignore lint/a11y/useKeyWithMouseEvents: focusin is the focus event that bubbles */}
        <span
          class="aiw-turn-text"
          dir="auto"
          data-testid="turn-text"
          onMouseOver={(event) => point(event.target)}
          onMouseLeave={() => point(null)}
          onFocusIn={(event) => point(event.target)}
          onFocusOut={() => point(null)}
          onClick={({ target }) => openToken(view, turn, spoken, target)}
          onKeyDown={(event) => {
            walkFocus(event, ".aiw-token");
            if (event.key !== "Enter" && event.key !== " ") return;
            event.preventDefault();
            openToken(view, turn, spoken, event.target);
          }}
        >
          {spoken.length === 0 ? turn.text : <TokenSpans tokens={spoken} />}
          {turn.ended === null && <span class="aiw-cursor" aria-hidden="true" />}
        </span>
        {ending && <span class="aiw-ended">{ending}</span>}
      </div>
      {turn.ended !== null && turn.text && (
        <span class="aiw-turn-tools">
          <ReadButton turn={turn} reading={reading} view={view} />
          <CopyButton text={() => turn.text} label="Copy this reply" />
        </span>
      )}
    </li>
  );
}

function ReadButton({ turn, reading, view }: { turn: TurnRecord; reading: boolean; view: View }) {
  const { speech } = view.channel;
  const label = reading ? "Stop reading aloud" : "Read this reply aloud";
  return (
    <SmallButton
      data-testid="read-aloud"
      label={label}
      aria-pressed={reading}
      onClick={() => {
        if (reading) speech.stop();
        else speech.start(turn.turn, turn.text);
      }}
    >
      <Icon name={reading ? "stop" : "speaker"} />
    </SmallButton>
  );
}

function openToken(view: View, turn: TurnRecord, tokens: readonly Token[], target: EventTarget | null): void {
  const pointed = pointedAt(target, tokens);
  if (!pointed) return;
  openChunk(view, turn.chunk);
  view.token.value = { turn: turn.turn, index: pointed.token.index };
}

/** Show a chunk in the timeline and select it. */
function openChunk(view: View, chunk: number): void {
  view.showChunk(chunk);
  view.selected.value = chunk;
}

export function clock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
}
