/** Card of the guided tour: the step's task, what happened, and the highlight on the control to use. */

import { effect, useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { CLIPS } from "../channel/messages";
import { SmallButton } from "../panels/small-button";
import { leaveTour, type SessionView, type TourPlace } from "../view";
import { begunAt, mayPlay, STEPS, type TourStep } from "./steps";

export function TourCard({ view }: { view: SessionView }) {
  const place = view.tour.value;
  return place && <Card key={place.step} view={view} place={place} />;
}

function Card({ view, place }: { view: SessionView; place: TourPlace }) {
  const card = useRef<HTMLElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const happened = useSignal<string | null>(null);
  const step = STEPS[place.step] as TourStep;
  // The panels to highlight come and go with the record.
  void view.store.version.value;
  const last = place.step === STEPS.length - 1;

  // The step's heading has the focus, so that a screen reader reads it and Tab leads to the card's buttons.
  useLayoutEffect(() => heading.current?.focus({ preventScroll: true }), []);
  // What happened once stays done: a selection may be closed again.
  useLayoutEffect(() => {
    const begun = begunAt(view);
    return effect(() => {
      void view.store.version.value;
      happened.value ??= step.happened(view, begun);
    });
  }, []);
  useHighlight(card, happened.value === null ? step.use : step.see);

  const leave = () => {
    const root = card.current?.closest(".aiw");
    leaveTour(view);
    root?.querySelector<HTMLElement>('[data-testid="tour-button"]')?.focus({ preventScroll: true });
  };
  const go = (to: number) => {
    if (to >= STEPS.length) leave();
    else view.tour.value = { ...place, step: to };
  };
  return (
    <section
      ref={card}
      class="aiw-card aiw-tour"
      aria-label={`Guided tour, step ${place.step + 1} of ${STEPS.length}`}
      data-testid="tour"
      data-step={place.step + 1}
      data-done={happened.value !== null}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        leave();
      }}
    >
      <header class="aiw-inspector-head">
        <h3 ref={heading} class="aiw-heading" tabIndex={-1}>
          {step.title}
          <small>
            step {place.step + 1} of {STEPS.length}
          </small>
        </h3>
        <SmallButton label="Leave the tour (Esc)" data-testid="tour-leave" onClick={leave}>
          ×
        </SmallButton>
      </header>
      <p>{step.task}</p>
      <p class="aiw-tour-happened" role="status" data-testid="tour-happened">
        {happened.value !== null && `✓ ${happened.value}`}
      </p>
      <div class="aiw-tour-buttons">
        {happened.value === null && <ClipButton view={view} step={step} />}
        {place.step > 0 && (
          <button type="button" class="aiw-button" onClick={() => go(place.step - 1)}>
            Back
          </button>
        )}
        <button
          type="button"
          class={`aiw-button ${happened.value === null ? "" : "aiw-step-next"}`}
          data-testid="tour-next"
          onClick={() => go(place.step + 1)}
        >
          {last ? "Finish" : happened.value === null ? "Skip" : `Next: ${STEPS[place.step + 1]?.title}`}
        </button>
      </div>
    </section>
  );
}

function ClipButton({ view, step }: { view: SessionView; step: TourStep }) {
  const clip = CLIPS.find(([name]) => name === step.clip);
  if (!clip) return null;
  return (
    <button
      type="button"
      class="aiw-button"
      data-testid="tour-clip"
      disabled={!mayPlay(view)}
      title="Play a clip of the package to the model, in real time"
      onClick={() => void view.channel.playClip(clip[0], "realtime")}
    >
      Play “{clip[1]}”
    </button>
  );
}

/** Highlight the first shown element of `names`; it is looked up again at each drawing, since panels come and go. */
function useHighlight(card: { current: HTMLElement | null }, names: readonly string[]): void {
  const lit = useRef<Element | null>(null);
  useLayoutEffect(() => {
    const root = card.current?.closest(".aiw");
    const found = names.map((name) => root?.querySelector(`[data-testid="${name}"]`)).find(Boolean) ?? null;
    // The lanes and their names are one thing to look at; the canvas alone has no frame.
    const target = found?.closest(".aiw-lanes") ?? found;
    if (target === lit.current) return;
    lit.current?.removeAttribute("data-tour");
    target?.setAttribute("data-tour", "here");
    lit.current = target;
    target?.scrollIntoView?.({ block: "nearest" });
  });
  useLayoutEffect(
    () => () => {
      lit.current?.removeAttribute("data-tour");
    },
    [],
  );
}
