/** Button that shows the widget on the whole screen, where the host's frame allows it. */

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { showProblem } from "../store/store";
import type { View } from "../view";
import { BarButton } from "./bar-button";

export function FullscreenButton({ view }: { view: View }) {
  const mark = useRef<HTMLSpanElement>(null);
  const full = useSignal(false);
  const root = () => mark.current?.closest(".aiw");
  useLayoutEffect(() => {
    const look = () => {
      full.value = document.fullscreenElement !== null && document.fullscreenElement === root();
    };
    document.addEventListener("fullscreenchange", look);
    return () => document.removeEventListener("fullscreenchange", look);
  }, []);
  // A frame without permission, and a phone without this function.
  if (!document.fullscreenEnabled) return null;
  const toggle = () => {
    const done = full.value ? document.exitFullscreen() : root()?.requestFullscreen();
    done?.catch((error: unknown) => {
      showProblem(view.store, {
        code: "fullscreen",
        sentence: `The browser did not show the widget on the whole screen (${String(error)}).`,
        wayOut: "Press the button again, or use the browser's own command for the whole page.",
        calm: true,
      });
    });
  };
  return (
    <>
      <span ref={mark} hidden />
      <BarButton
        name="fullscreen"
        title={full.value ? "Leave the whole screen (Esc)" : "Show on the whole screen"}
        pressed={full.value}
        press={toggle}
      >
        Full screen
      </BarButton>
    </>
  );
}
