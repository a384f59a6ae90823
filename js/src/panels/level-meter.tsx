/** The level of what is being captured: set by each block, and moved between two of them by the browser alone. */
import { effect } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Store } from "../store/store";

/** The bar's left end. */
const QUIETEST_DB = -60;
/** What the bar falls by per second, so that short sounds can be seen. */
const FALL_PER_SECOND = 1.6;
/** Parts of the bar that can be told apart: smaller changes are not drawn. */
const STEPS = 90;

export function levelPart(rms: number): number {
  if (rms <= 0) return 0;
  return Math.min(1, Math.max(0, 1 - (20 * Math.log10(rms)) / QUIETEST_DB));
}

/** What the bar shows of a level, when it showed `shown` some seconds ago. */
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
        // What is written is drawn, even if it says nothing new.
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
