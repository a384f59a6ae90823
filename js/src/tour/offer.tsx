/** Offer of the guided tour: once in a browser, before anything was heard. */

import { useSignal } from "@preact/signals";
import { BarButton } from "../panels/bar-button";
import { OFFERED, takeTour } from "../panels/tour-button";
import { chunkCount } from "../record/record";
import { remember, remembered } from "../store/remembered";
import type { SessionView } from "../view";

export function TourOffer({ view }: { view: SessionView }) {
  const { channel, store } = view;
  const declined = useSignal(remembered(OFFERED) !== null);
  void store.version.value;
  if (view.tour.value) declined.value = true;
  const offered = channel.ready && store.line.value !== "connecting" && chunkCount(store.record) === 0;
  if (declined.value || !offered) return null;
  return (
    <p class="aiw-hint aiw-offer" data-testid="tour-offer">
      New here?
      <BarButton name="tour-take" title="Guided tour in five steps" press={() => takeTour(view)}>
        Take the tour
      </BarButton>
      <BarButton
        name="tour-decline"
        title="Do not offer the tour again; the button Tour begins it"
        press={() => {
          remember(OFFERED, "declined");
          declined.value = true;
        }}
      >
        No, thanks
      </BarButton>
    </p>
  );
}
