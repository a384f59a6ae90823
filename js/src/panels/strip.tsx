/** Protocol strip: the tokens of one chunk that were fed and produced, and the use of the context. */
import { useSignal } from "@preact/signals";
import type { Decision } from "../record/events";
import type { TurnRecord } from "../record/record";
import type { Vocabulary } from "../record/vocabulary";
import { type Cell, type Strip, stripOf } from "./strip-cells";
import { visibleText } from "./visible-text";
import { walkFocus } from "./walk-focus";

/** Number of a reply's cells that are shown at first. */
const SHOWN_CELLS = 24;

interface Props {
  decision: Decision;
  turn: TurnRecord | undefined;
  vocabulary: Vocabulary;
  /** Index of the selected reply token; null for the decision. */
  picked: number | null;
  onPick: (index: number | null) => void;
}

export function ProtocolStrip({ decision, turn, vocabulary, picked, onPick }: Props) {
  const all = useSignal(false);
  const strip = stripOf(decision, turn, vocabulary);
  const { produced } = strip;
  const shown =
    all.value || (picked ?? 0) >= SHOWN_CELLS - 2 || produced.length <= SHOWN_CELLS + 1
      ? produced
      : produced.slice(0, SHOWN_CELLS);
  const left = produced.length - shown.length;
  return (
    <div class="aiw-strip" data-testid="strip">
      <ol class="aiw-cells" aria-label={fedLabel(strip)}>
        {strip.fed.map((cell) => (
          <li key={cell.position} class="aiw-cell" data-kind={cell.kind} title={titleOf(cell)}>
            <span class="aiw-cell-text">{cellText(cell)}</span>
            <Place cell={cell} />
          </li>
        ))}
      </ol>
      <div class="aiw-produced">
        <span class="aiw-arrow" aria-hidden="true">
          →
        </span>
        <ol
          class="aiw-cells"
          aria-label="Produced; move with the arrow keys"
          onKeyDown={(event) => walkFocus(event, "button.aiw-cell-text")}
        >
          {shown.map((cell, i) => {
            // TEXT_END has no event to inspect.
            const open = cell.kind === "decision" || cell.index !== null;
            const current = cell.kind === "decision" ? picked === null : open && cell.index === picked;
            return (
              <li
                key={i}
                class="aiw-cell"
                data-kind={cell.kind}
                data-choice={cell.kind === "decision" ? decision.choice : undefined}
                title={titleOf(cell)}
              >
                {open ? (
                  <button
                    type="button"
                    class="aiw-cell-text"
                    aria-pressed={current}
                    tabIndex={current ? 0 : -1}
                    onClick={() => onPick(cell.index)}
                  >
                    {cellText(cell)}
                  </button>
                ) : (
                  <span class="aiw-cell-text">{cellText(cell)}</span>
                )}
                <Place cell={cell} />
              </li>
            );
          })}
          {turn?.ended === null && (
            <li class="aiw-cell" data-kind="more">
              <span class="aiw-cell-text">…</span>
            </li>
          )}
          {left > 0 && (
            <li class="aiw-cell" data-kind="more">
              <button
                type="button"
                class="aiw-cell-text"
                onClick={() => {
                  all.value = true;
                }}
              >
                … {left} more
              </button>
            </li>
          )}
        </ol>
      </div>
    </div>
  );
}

function Place({ cell: { position, count } }: { cell: Cell }) {
  const place = position === null ? "" : count > 1 ? `${position}–${position + count - 1}` : String(position);
  return <span class="aiw-cell-place">{place}</span>;
}

function fedLabel({ first, last }: Strip): string {
  return `Fed at positions ${first} to ${last}`;
}

function cellText({ kind, text, count }: Cell): string {
  if (kind === "prompt") return `prompt ×${count}`;
  if (kind === "frames") return `${text}×${count}`;
  return kind === "text" ? visibleText(text) : text;
}

function titleOf({ kind, text, token, position, count, remark }: Cell): string {
  const parts = [
    kind === "prompt" ? `the system prompt: “${text}”` : token === null ? "" : `token ${token}`,
    position === null
      ? ""
      : count > 1
        ? `positions ${position}–${position + count - 1}`
        : `position ${position}`,
    remark,
  ];
  return parts.filter(Boolean).join(" · ");
}

/** Render the use of the context after the step, and what is evicted next. */
export function CacheGauge({ decision, context }: { decision: Decision; context: string | undefined }) {
  const { used, limit, oldest } = decision;
  if (!(limit > 0)) return null;
  const part = Math.min(1, used / limit);
  return (
    <p class="aiw-gauge" data-testid="gauge">
      <span class="aiw-key">context</span>
      <meter
        class="aiw-gauge-bar"
        min={0}
        max={limit}
        value={used}
        aria-label="Positions of the context in use"
        style={{ "--part": part.toFixed(4) }}
      />
      <span>
        <strong>{used}</strong> / {limit} positions · {nextToLeave(context, oldest, decision.chunk)}
      </span>
    </p>
  );
}

function nextToLeave(context: string | undefined, oldest: number, chunk: number): string {
  if (context === "stop") return "at the limit the session ends";
  if (context === "reset")
    return `holds chunks ${oldest}–${chunk}; at the limit all but the prefix is discarded`;
  return `evicted next: chunk ${oldest}`;
}
