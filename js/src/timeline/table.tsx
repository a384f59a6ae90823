/**
 * The timeline as a table with one row per chunk, of which only the visible ones are rendered. Selecting a row
 * selects the chunk.
 */

import { useComputed, useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { claim, isCommand } from "../host/claim";
import { chunkCount } from "../record/record";
import type { View } from "../view";
import { COLUMNS, ROW_PX, rowForKey, rowOf, rowsInSight, scrollToRow } from "./table-rows";

interface Props {
  /** Prefix of the ids of the rows. */
  id: string;
  view: View;
  height: number;
}

export function ChunkTable({ id, view, height }: Props) {
  const { store, selected, hiddenFrom } = view;
  const box = useRef<HTMLDivElement>(null);
  const scroll = useSignal(0);
  const count = useComputed(() => (store.version.value >= 0 ? chunkCount(store.record) : 0)).value;
  const cursor = useSignal(selected.peek() ?? Math.max(0, count - 1));
  /** New rows scroll into view only if the reader is at the end. */
  const atEnd = useRef(true);
  const body = height - ROW_PX;

  const scrollTo = (top: number) => {
    if (!box.current) return;
    box.current.scrollTop = top;
    scroll.value = box.current.scrollTop;
  };
  const reveal = (row: number) => scrollTo(scrollToRow(row, box.current?.scrollTop ?? 0, body));
  useLayoutEffect(() => {
    if (selected.peek() !== null) reveal(cursor.peek());
    else scrollTo(count * ROW_PX);
  }, []);
  useLayoutEffect(() => {
    if (atEnd.current && selected.peek() === null) scrollTo(count * ROW_PX);
  }, [count]);
  useLayoutEffect(() => {
    if (selected.value === null || selected.value === cursor.peek()) return;
    cursor.value = selected.value;
    reveal(selected.value);
  }, [selected.value]);

  const pick = (chunk: number) => {
    cursor.value = chunk;
    selected.value = chunk === selected.value ? null : chunk;
  };
  const keyDown = (event: KeyboardEvent) => {
    if (isCommand(event)) return;
    const to = rowForKey(event.key, cursor.value, count, Math.floor(body / ROW_PX) - 1);
    if (to !== null) {
      cursor.value = to;
      reveal(to);
    } else if (event.key === "Enter" || event.key === " ") {
      pick(cursor.value);
    } else {
      return;
    }
    claim(event);
  };

  void store.version.value;
  const { first, last } = rowsInSight(count, scroll.value, body);
  const rows = Array.from({ length: last - first }, (_, i) =>
    rowOf(store.record, first + i, hiddenFrom.value),
  );
  const rowId = (chunk: number) => `${id}-${chunk}`;
  return (
    <div
      ref={box}
      class="aiw-table-box"
      data-testid="chunk-table"
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        scroll.value = scrollTop;
        atEnd.current = scrollHeight - scrollTop - clientHeight < ROW_PX;
      }}
    >
      <table
        class="aiw-chunks"
        // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a grid is a table one walks with keys
        role="grid"
        tabIndex={0}
        aria-label="Chunks"
        aria-rowcount={count + 1}
        aria-readonly="true"
        aria-activedescendant={cursor.value >= first && cursor.value < last ? rowId(cursor.value) : undefined}
        onKeyDown={keyDown}
      >
        <thead>
          <tr aria-rowindex={1}>
            {COLUMNS.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <Spacer rows={first} />
          {rows.map(({ chunk, cells, choice }) => (
            <tr
              key={chunk}
              id={rowId(chunk)}
              aria-rowindex={chunk + 2}
              aria-selected={chunk === selected.value}
              data-chunk={chunk}
              data-choice={choice}
              data-cursor={chunk === cursor.value}
              onClick={() => pick(chunk)}
            >
              {cells.map((cell, i) => (
                <td key={COLUMNS[i]} dir={i === 5 ? "auto" : undefined} title={i === 5 ? cell : undefined}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
          <Spacer rows={count - last} />
        </tbody>
      </table>
    </div>
  );
}

/** Render an empty row with the height of the rows that are not rendered. */
function Spacer({ rows }: { rows: number }) {
  if (rows <= 0) return null;
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: an empty row takes no focus
    <tr aria-hidden="true" style={{ height: `${rows * ROW_PX}px` }}>
      <td colSpan={COLUMNS.length} />
    </tr>
  );
}
