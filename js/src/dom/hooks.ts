/** What a component keeps from one drawing to the next. Every drawing must ask for the same things in the same order. */
import { computed, effect, type ReadonlySignal, type Signal, signal } from "./signals";

/** What one component holds, in the order of its asking. */
export type Held = { end?: End | undefined }[];

type End = () => void;

interface Kept<T> {
  /** What `value` was made for; null before it was made. */
  inputs: readonly unknown[] | null;
  value: T | undefined;
}

let held: Held = [];
let asked = 0;
let effects: (() => void)[] = [];

/** Draws one component with what it holds; also returns what is to run when the drawing is in the page. */
export function drawnWith(own: Held, draw: () => unknown): [drawn: unknown, effects: (() => void)[]] {
  held = own;
  asked = 0;
  effects = [];
  return [draw(), effects];
}

/** Ends the effects of a component that goes. */
export function letGo(own: Held): void {
  for (const { end } of own) end?.();
}

function kept<T extends object>(make: () => T): T {
  held[asked] ??= make();
  return held[asked++] as T;
}

function isSame(before: readonly unknown[] | null, now: readonly unknown[]): boolean {
  return before !== null && now.every((input, i) => Object.is(input, before[i]));
}

export function useRef<T>(value: null): { current: T | null };
export function useRef<T>(value: T): { current: T };
export function useRef(value: unknown): { current: unknown } {
  return kept(() => ({ current: value }));
}

/** Made anew only where an input has changed. */
export function useMemo<T>(make: () => T, inputs: readonly unknown[]): T {
  const own = kept<Kept<T>>(() => ({ inputs: null, value: undefined }));
  if (!isSame(own.inputs, inputs)) {
    own.inputs = inputs;
    own.value = make();
  }
  return own.value as T;
}

/** Runs when the component is in the page, and again where an input has changed; what it returns ends it. */
export function useEffect(run: (() => void) | (() => End | undefined), inputs: readonly unknown[]): void {
  const own = kept<{ inputs: readonly unknown[] | null; end?: End | undefined }>(() => ({ inputs: null }));
  if (isSame(own.inputs, inputs)) return;
  own.inputs = inputs;
  effects.push(() => {
    own.end?.();
    own.end = run() as End | undefined;
  });
}

export function useSignal<T>(value: T): Signal<T> {
  return useMemo(() => signal(value), []);
}

export function useComputed<T>(read: () => T): ReadonlySignal<T> {
  return useMemo(() => computed(read), []);
}

export function useSignalEffect(run: () => void): void {
  useEffect(() => effect(run), []);
}
