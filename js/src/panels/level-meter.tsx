/** The level of what is being captured, drawn once a frame while something is. */
import { useEffect, useRef } from "../dom/hooks";
import type { Store } from "../store";

/** The bar's left end. */
const QUIETEST_DB = -60;
/** What the bar falls by per second, so that short sounds can be seen. */
const FALL_PER_SECOND = 1.6;

export function levelPart(rms: number): number {
  if (rms <= 0) return 0;
  return Math.min(1, Math.max(0, 1 - (20 * Math.log10(rms)) / QUIETEST_DB));
}

export function LevelMeter({ store }: { store: Store }) {
  const bar = useRef<HTMLSpanElement>(null);
  const listening = store.mic.value.phase === "listening";
  useEffect(() => {
    const element = bar.current;
    if (!element) return;
    let shown = 0;
    let before = performance.now();
    let frame = 0;
    const draw = (now: number) => {
      const fallen = shown - (FALL_PER_SECOND * (now - before)) / 1000;
      before = now;
      shown = Math.max(levelPart(store.level.rms), fallen, 0);
      element.style.transform = `scaleX(${shown.toFixed(3)})`;
      element.dataset.hot = String(store.level.peak >= 0.98);
      if (listening) frame = requestAnimationFrame(draw);
    };
    if (listening) frame = requestAnimationFrame(draw);
    else element.style.transform = "scaleX(0)";
    return () => cancelAnimationFrame(frame);
  }, [listening, store]);
  return (
    <span class="meter" testid="level" title="Input level" aria-hidden="true">
      <span ref={bar} class="meter-bar" />
    </span>
  );
}
