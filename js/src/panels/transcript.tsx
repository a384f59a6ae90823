/** Transcript: the replies, token by token, each shaded by its probability. */
import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { chunkStart, type TurnRecord } from "../record/record";
import { isReplyHidden } from "../store/hidden";
import { isPolicy } from "../store/policy";
import type { Store } from "../store/store";
import { SHADES } from "../style/shade";
import type { View } from "../view";
import { Announcement } from "./announcement";
import { BranchReplies } from "./branch-replies";
import { CopyButton } from "./copy-button";
import { ReadingLine } from "./reading-line";
import { SmallButton } from "./small-button";
import { type Pointed, TokenTip } from "./token-tip";
import { clock, TurnItem } from "./turn-item";

/** Number of replies rendered at first, and of those added by a press. */
const SHOWN_TURNS = 50;
/** Distance from the end within which the list follows the newest reply, in pixels. */
const AT_END_PX = 24;

export function Transcript({ view }: { view: View }) {
  const { store } = view;
  const { speech } = view.channel;
  const pointed = useSignal<Pointed | null>(null);
  void store.version.value;
  const hidden = view.hiddenFrom.value;
  const turns = store.record.turns.filter((turn) => !isReplyHidden(hidden, turn));
  const { list, first, showEarlier, onScroll } = useNewest(turns);
  const count = turns.length;
  return (
    <section class="aiw-card aiw-transcript" aria-label="Transcript" data-testid="transcript">
      <header class="aiw-inspector-head">
        <h3 class="aiw-heading">
          Transcript <small>{count > 0 && `${count} ${count === 1 ? "reply" : "replies"}`}</small>
        </h3>
        {count > 0 && <CopyButton text={() => transcriptText(store, turns)} label="Copy all replies" />}
      </header>
      {count === 0 && (
        <p class="aiw-hint">
          {store.record.turns.length > 0
            ? "Replies are hidden until they are revealed in step mode."
            : "Replies appear here, word by word, when the model decides to speak."}
        </p>
      )}
      {count > 0 && !isPolicy(store) && <Legend />}
      {first > 0 && (
        <SmallButton class="aiw-small aiw-earlier" data-testid="earlier" onClick={showEarlier}>
          Show {Math.min(first, SHOWN_TURNS)} of {first} earlier
        </SmallButton>
      )}
      <ol
        ref={list}
        class="aiw-turns"
        onScroll={() => {
          onScroll();
          pointed.value = null;
        }}
      >
        {turns.slice(first).map((turn) => (
          <TurnItem
            key={turn.turn}
            turn={turn}
            version={turn.version}
            start={chunkStart(store.record, turn.chunk)}
            reading={speech.reading.value === turn.turn}
            view={view}
            pointed={pointed}
          />
        ))}
      </ol>
      <BranchReplies view={view} />
      <ReadingLine view={view} />
      {pointed.value && <TokenTip pointed={pointed.value} />}
      <Announcement view={view} />
    </section>
  );
}

/** Return the replies to render: the newest, and more on request; the scroll position is kept. */
function useNewest(turns: readonly TurnRecord[]) {
  const list = useRef<HTMLOListElement>(null);
  const first = useSignal(0);
  /** New words scroll into view only if the reader has not scrolled back. */
  const atEnd = useRef(true);
  const heightBefore = useRef<number | null>(null);
  const newest = turns.at(-1);
  let from = Math.min(first.value, Math.max(0, turns.length - 1));
  // While the reader has scrolled back, no older reply is removed.
  if (atEnd.current) from = Math.max(from, turns.length - SHOWN_TURNS);
  useLayoutEffect(() => {
    first.value = from;
    const element = list.current;
    if (!element) return;
    if (heightBefore.current !== null) {
      element.scrollTop += element.scrollHeight - heightBefore.current;
      heightBefore.current = null;
    } else if (atEnd.current) {
      element.scrollTop = element.scrollHeight;
    }
  }, [newest?.turn, newest?.version, from]);
  return {
    list,
    first: from,
    showEarlier: () => {
      atEnd.current = false;
      heightBefore.current = list.current?.scrollHeight ?? null;
      first.value = Math.max(0, from - SHOWN_TURNS);
    },
    onScroll: () => {
      const element = list.current;
      if (!element) return;
      atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < AT_END_PX;
    },
  };
}

function Legend() {
  return (
    <p class="aiw-legend" title="Raw probability of each token: the less sure the model was, the darker">
      <span>sure</span>
      {SHADES.map((bound, shade) => (
        <span key={bound} class="aiw-token" data-shade={shade}>
          {bound === 0 ? `<${SHADES[shade - 1]}` : `≥${bound}`}
        </span>
      ))}
      <span>unsure</span>
    </p>
  );
}

function transcriptText(store: Store, turns: readonly TurnRecord[]): string {
  return turns
    .map(({ chunk, emotion, text }) => {
      const mood = emotion ? ` [${emotion}]` : "";
      return `${clock(chunkStart(store.record, chunk))}${mood} ${text}`;
    })
    .join("\n");
}
