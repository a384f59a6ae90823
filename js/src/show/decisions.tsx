/** Large strip of the newest decisions, and the curve of p(TEXT) above it. */

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { isPolicy } from "../store/policy";
import type { View } from "../view";
import { type Cell, pictureOf } from "./picture";

/** Heights of the curve and of the strip, and the distance between them, in CSS pixels. */
const [CURVE_PX, STRIP_PX, GAP_PX] = [120, 52, 14];
const HEIGHT_PX = CURVE_PX + GAP_PX + STRIP_PX;
/** Distance of the curve from the picture's upper edge, so that its dots are not cut off. */
const PAD_PX = 8;
/** Width before the first measurement, in CSS pixels. */
const FIRST_PX = 640;

const yOf = (p: number) => PAD_PX + (1 - p) * (CURVE_PX - PAD_PX);

export function Decisions({ view }: { view: View }) {
  const box = useRef<HTMLDivElement>(null);
  const width = useSignal(FIRST_PX);
  useLayoutEffect(() => {
    const { current } = box;
    if (!current || typeof ResizeObserver === "undefined") return;
    const observer = new ResizeObserver(() => {
      width.value = current.clientWidth || FIRST_PX;
    });
    observer.observe(current);
    return () => observer.disconnect();
  }, []);
  const { store } = view;
  void store.version.value;
  const picture = pictureOf({ record: store.record, width: width.value });
  const { cells, runs, threshold, newest } = picture;
  const spoken = cells.filter(({ kind }) => kind === "speak").length;
  const name = isPolicy(store) ? "score" : "p(TEXT)";
  const label =
    `The newest ${cells.length} decisions, of which ${spoken} speak` +
    (newest === null ? "" : `; ${name} is ${newest.toFixed(2)}`);
  const hatch = `${view.id}-hatch`;
  return (
    <div ref={box} class="aiw-decisions" data-testid="show-decisions">
      <svg
        role="img"
        aria-label={label}
        width={width.value}
        height={HEIGHT_PX}
        viewBox={`0 0 ${width.value} ${HEIGHT_PX}`}
      >
        <pattern id={hatch} width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect class="aiw-show-hatch" width="3" height="8" />
        </pattern>
        {threshold !== null && (
          <line class="aiw-show-threshold" x1="0" x2={width.value} y1={yOf(threshold)} y2={yOf(threshold)} />
        )}
        {runs.map((run) => (
          <polyline
            key={run[0]?.[0]}
            class="aiw-show-curve"
            points={run.map(([x, p]) => `${x.toFixed(1)},${yOf(p).toFixed(1)}`).join(" ")}
          />
        ))}
        {runs.flat().map(([x, p]) => (
          <circle key={x} class="aiw-show-point" cx={x} cy={yOf(p)} r="4" />
        ))}
        {cells.map((cell) => (
          <CellMark key={cell.chunk} cell={cell} hatch={hatch} />
        ))}
      </svg>
      <p class="aiw-show-legend" aria-hidden="true">
        <span>
          {name} <b>{newest === null ? "–" : newest.toFixed(2)}</b>
        </span>
        <span>
          <i data-kind="silent" /> silent
        </span>
        <span>
          <i data-kind="speak" /> speak
        </span>
      </p>
    </div>
  );
}

function CellMark({ cell: { kind, x, width }, hatch }: { cell: Cell; hatch: string }) {
  const top = CURVE_PX + GAP_PX;
  const [cx, cy] = [x + width / 2, top + STRIP_PX / 2];
  const look = kind === "undecided" ? { fill: `url(#${hatch})` } : {};
  return (
    <g class="aiw-show-cell" data-kind={kind}>
      <rect x={x + 1.5} y={top} width={width - 3} height={STRIP_PX} rx="5" {...look} />
      {kind === "silent" && <circle cx={cx} cy={cy} r="3" />}
      {kind === "speak" && <path d={`M${cx - 6} ${cy - 9}l15 9l-15 9z`} />}
      {kind === "violation" && <path d={`M${cx - 6} ${cy - 6}l12 12m0-12l-12 12`} />}
    </g>
  );
}
