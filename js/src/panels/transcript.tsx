/** The replies, token by token. All text of the model is set as text nodes, never as HTML. */
import { useComputed, useSignal } from "@preact/signals";
import { Component, createRef } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { EMOTION_PATHS } from "../emotion";
import type { Emotion, Token } from "../events";
import { chunkStart, type TurnRecord } from "../talk";
import type { View } from "../view";

/** Older replies are shown on request. */
const SHOWN_TURNS = 60;

interface Pointed {
  token: Token;
  left: number;
  top: number;
}

export function Transcript({ view }: { view: View }) {
  const { store } = view;
  const all = useSignal(false);
  const pointed = useSignal<Pointed | null>(null);
  const list = useRef<HTMLOListElement>(null);
  /** New words scroll into sight only where the reader has not scrolled back. */
  const atEnd = useRef(true);
  const count = useComputed(() => store.version.value >= 0 && store.talk.turns.length);
  void store.version.value;
  const { turns } = store.talk;
  const first = all.value ? 0 : Math.max(0, turns.length - SHOWN_TURNS);
  const newest = turns.at(-1);
  useEffect(() => {
    const element = list.current;
    if (element && atEnd.current) element.scrollTop = element.scrollHeight;
  }, [newest?.turn, newest?.version]);
  return (
    <section class="aiw-card aiw-transcript" aria-label="Transcript">
      <h3 class="aiw-heading">
        Transcript <small>{count.value ? `${count} ${count.value === 1 ? "reply" : "replies"}` : ""}</small>
        {count.value ? <Legend /> : null}
      </h3>
      {turns.length === 0 && <p class="aiw-hint">Replies appear here, word by word.</p>}
      {first > 0 && (
        <button
          type="button"
          class="aiw-button"
          onClick={() => {
            all.value = true;
          }}
        >
          Show {first} earlier
        </button>
      )}
      <ol
        ref={list}
        class="aiw-turns"
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          atEnd.current = scrollHeight - scrollTop - clientHeight < 24;
          pointed.value = null;
        }}
      >
        {turns.slice(first).map((turn) => (
          <TurnItem
            key={turn.turn}
            turn={turn}
            version={turn.version}
            start={chunkStart(store.talk, turn.chunk)}
            view={view}
            onPoint={(value) => {
              pointed.value = value;
            }}
          />
        ))}
      </ol>
      {pointed.value && <TokenTip pointed={pointed.value} />}
      <p class="aiw-hidden" aria-live="polite" data-testid="announcement">
        {store.announcement.value}
      </p>
    </section>
  );
}

function Legend() {
  return (
    <span class="aiw-legend" title="The fuller the line under a word, the surer the model was of it">
      <span class="aiw-token" style={{ "--p": 0.25 }}>
        unsure
      </span>
      <span class="aiw-token" style={{ "--p": 1 }}>
        sure
      </span>
    </span>
  );
}

interface TurnProps {
  turn: TurnRecord;
  version: number;
  start: number;
  view: View;
  onPoint: (pointed: Pointed | null) => void;
}

/** One reply. Drawn again only when it grew, however many others there are. */
class TurnItem extends Component<TurnProps> {
  readonly #text = createRef<HTMLSpanElement>();

  override shouldComponentUpdate({ turn, version, start }: Readonly<TurnProps>): boolean {
    const { props } = this;
    return turn !== props.turn || version !== props.version || start !== props.start;
  }

  override render({ turn, start, view, onPoint }: TurnProps) {
    const clock = `${Math.floor(start / 60)}:${(start % 60).toFixed(1).padStart(4, "0")}`;
    const spoken = turn.tokens.filter((token) => token?.text);
    const point = (target: EventTarget | null) => onPoint(pointedToken(target, spoken));
    return (
      // biome-ignore lint/a11y/useKeyWithClickEvents: the button inside does the same by keyboard
      <li
        class="aiw-turn"
        data-testid="turn"
        data-turn={turn.turn}
        data-ended={turn.ended ?? ""}
        onClick={() => view.showChunk(turn.chunk)}
      >
        <button type="button" class="aiw-turn-time" title="Show in the timeline">
          {clock}
        </button>
        {turn.emotion && <EmotionSign emotion={turn.emotion} />}
        {/* biome-ignore lint/a11y/noStaticElementInteractions: the tokens inside take the focus */}
        {/* biome-ignore lint/a11y/useKeyWithMouseEvents: focusin is the focus event that bubbles */}
        <span
          ref={this.#text}
          class="aiw-turn-text"
          data-testid="turn-text"
          onMouseOver={(event) => point(event.target)}
          onMouseLeave={() => onPoint(null)}
          onFocusIn={(event) => point(event.target)}
          onFocusOut={() => onPoint(null)}
          onKeyDown={this.#walk}
        >
          {spoken.length === 0
            ? turn.text
            : spoken.map((token, i) => (
                <span
                  key={token.index}
                  class="aiw-token"
                  style={{ "--p": token.p.toFixed(2) }}
                  tabIndex={i === 0 ? 0 : -1}
                  data-index={i}
                >
                  {token.text}
                </span>
              ))}
          {turn.ended === null && <span class="aiw-cursor" aria-hidden="true" />}
        </span>
        {(turn.ended === "limit" || turn.ended === "interrupted") && (
          <span class="aiw-ended">{turn.ended === "limit" ? "cut at the limit" : "interrupted"}</span>
        )}
      </li>
    );
  }

  /** One tab stop a reply; the arrow keys walk its tokens. */
  readonly #walk = (event: KeyboardEvent) => {
    if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
    const tokens = [...(this.#text.current?.querySelectorAll<HTMLElement>(".aiw-token") ?? [])];
    const at = tokens.indexOf(event.target as HTMLElement);
    tokens[at + (event.key === "ArrowRight" ? 1 : -1)]?.focus();
    event.preventDefault();
    event.stopPropagation();
  };
}

function EmotionSign({ emotion }: { emotion: Emotion }) {
  return (
    <span class="aiw-emotion">
      <svg viewBox="0 0 16 16" width="15" height="15" aria-hidden="true">
        <path
          d={EMOTION_PATHS[emotion]}
          fill="none"
          stroke="currentColor"
          stroke-width="1.2"
          stroke-linecap="round"
        />
      </svg>
      {emotion}
    </span>
  );
}

function pointedToken(target: EventTarget | null, tokens: Token[]): Pointed | null {
  if (!(target instanceof HTMLElement) || !target.dataset.index) return null;
  const token = tokens[Number(target.dataset.index)];
  const panel = target.closest(".aiw-transcript")?.getBoundingClientRect();
  if (!token || !panel) return null;
  const box = target.getBoundingClientRect();
  const left = Math.max(0, Math.min(box.left - panel.left, panel.width - 190));
  return { token, left, top: box.bottom - panel.top + 5 };
}

function TokenTip({ pointed: { token, left, top } }: { pointed: Pointed }) {
  const others = token.alternatives.filter((other) => other.token !== token.token);
  return (
    <div class="aiw-tip" role="tooltip" style={{ left: `${left}px`, top: `${top}px` }}>
      <strong>
        {token.text.trim() || "␣"} <small>{token.p.toFixed(3)}</small>
      </strong>
      {others.slice(0, 4).map((other) => (
        <span key={other.token}>
          {other.text.trim() || `#${other.token}`} <small>{other.p.toFixed(3)}</small>
        </span>
      ))}
    </div>
  );
}
