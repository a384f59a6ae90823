/** Button that begins or leaves the guided tour. */

import { remember } from "../store/remembered";
import { beginTour, leaveTour, type SessionView } from "../view";
import { BarButton } from "./bar-button";

/** Name of the stored mark that the tour was offered: taken or declined. */
export const OFFERED = "tour";

/** Begin the tour; from now on it is no longer offered. */
export function takeTour(view: SessionView): void {
  remember(OFFERED, "taken");
  beginTour(view);
}

export function TourButton({ view }: { view: SessionView }) {
  const taken = view.tour.value !== null;
  return (
    <BarButton
      name="tour-button"
      title={taken ? "Leave the guided tour" : "Guided tour: silence, speech, reply, why, change it"}
      pressed={taken}
      press={() => {
        if (taken) leaveTour(view);
        else takeTour(view);
      }}
    >
      Tour
    </BarButton>
  );
}
