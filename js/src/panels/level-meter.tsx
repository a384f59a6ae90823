/**
 * Level meter of the captured audio: each block sets the bar directly, without rendering; a CSS transition smooths
 * it.
 */
import { effect } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Store } from "../store/store";

/** Level at the left end of the bar, in dBFS. */
const QUIETEST_DB = -60;
/** Fall of the bar in full widths per second, slow enough that short sounds are visible. */
const FALL_PER_SECOND = 1.6;
/** Number of distinguishable positions of the bar: a smaller change is not drawn. */
const STEPS = 90;

export function levelPart(rms: number): number {
  if (rms <= 0) return 0;
  return Math.min(1, Math.max(0, 1 - (20 * Math.log10(rms)) / QUIETEST_DB));
}

/** Compute the bar's position for a level, given the position `shown` some seconds ago. */
export function fallenTo(shown: number, rms: number, seconds: number): number {
  return Math.max(levelPart(rms), shown - FALL_PER_SECOND * seconds, 0);
}

export function LevelMeter({ store }: { store: Store }) {
  const bar = useRef<HTMLSpanElement>(null);
  const last = useRef({ shown: 0, at: 0 });
  useLayoutEffect(
    () =>
      effect(() => {
        const { peak, rms } = store.level.value;
        const listening = store.mic.value.phase === "listening";
        if (!bar.current) return;
        const { style, dataset } = bar.current;
        const now = performance.now();
        const { shown, at } = last.current;
        last.current = { shown: listening ? fallenTo(shown, rms, (now - at) / 1000) : 0, at: now };
        // Any assignment causes a repaint, even of the same value.
        const transform = `scaleX(${(Math.round(last.current.shown * STEPS) / STEPS).toFixed(3)})`;
        const hot = String(listening && peak >= 0.98);
        if (style.transform !== transform) style.transform = transform;
        if (dataset.hot !== hot) dataset.hot = hot;
      }),
    [],
  );
  return (
    <span class="aiw-meter" data-testid="level" title="Input level" aria-hidden="true">
      <span ref={bar} class="aiw-meter-bar" />
    </span>
  );
}
