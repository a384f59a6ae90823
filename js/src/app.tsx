/** One view: the panels, put together. */
import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Banners, ModelLine } from "./panels/banners";
import { Controls, toggleRecording } from "./panels/controls";
import { Inspector } from "./panels/inspector";
import { Transcript } from "./panels/transcript";
import { chunkCount } from "./talk";
import { type Theme, watchTheme } from "./theme";
import { Timeline } from "./timeline/timeline";
import type { TimelineCanvas } from "./timeline/timeline-canvas";
import type { View } from "./view";

export function App({ view }: { view: View }) {
  const root = useRef<HTMLDivElement>(null);
  const timeline = useRef<TimelineCanvas | null>(null);
  const theme = useSignal<Theme>("light");
  const dropping = useSignal(false);
  const { store } = view;

  useEffect(
    () =>
      watchTheme((found) => {
        theme.value = found;
        // The host's own style sheet may still be on its way.
        requestAnimationFrame(() => requestAnimationFrame(() => timeline.current?.restyle()));
      }),
    [theme],
  );
  useEffect(() => (root.current ? keepKeys(root.current) : undefined), []);
  // Another session: what was picked is gone.
  useSignalEffect(() => {
    const chunks = store.version.value >= 0 ? chunkCount(store.talk) : 0;
    if (view.selected.value !== null && view.selected.value >= chunks) view.selected.value = null;
    if (view.hovered.value !== null && view.hovered.value >= chunks) view.hovered.value = null;
    if (chunks === 0) view.following.value = true;
  });

  const keyDown = (event: KeyboardEvent) => {
    const typing = event.target instanceof HTMLSelectElement || event.target instanceof HTMLInputElement;
    if (event.key.toLowerCase() !== "r" || event.ctrlKey || event.metaKey || event.altKey || typing) return;
    if (event.repeat) return;
    event.preventDefault();
    event.stopPropagation();
    toggleRecording(view);
  };
  const dragOver = (event: DragEvent) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    dropping.value = true;
  };
  const drop = (event: DragEvent) => {
    dropping.value = false;
    const file = event.dataTransfer?.files[0];
    if (!file) return;
    event.preventDefault();
    event.stopPropagation();
    void view.conversation.playFile(file, view.pace.value);
  };

  void store.version.value;
  const { talk } = store;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would bring its own looks
    <div
      ref={root}
      class="aiw"
      role="group"
      aria-label="Audio interaction"
      data-testid="aiw"
      data-theme={theme.value}
      data-state={store.shown.value}
      data-line={store.line.value}
      data-chunks={chunkCount(talk)}
      data-decisions={talk.decided}
      data-turns={talk.turns.length}
      data-dropping={dropping.value}
      onKeyDown={keyDown}
      onDragOver={dragOver}
      onDragLeave={(event) => {
        if (!root.current?.contains(event.relatedTarget as Node | null)) dropping.value = false;
      }}
      onDrop={drop}
    >
      <Controls view={view} />
      <Banners view={view} />
      <Timeline
        view={view}
        onCanvas={(made) => {
          timeline.current = made;
        }}
      />
      <div class="aiw-panels">
        <Inspector view={view} />
        <Transcript view={view} />
      </div>
      <ModelLine view={view} />
    </div>
  );
}

/**
 * Notebook hosts take single keys (arrows, R, F, L) for commands of their own. Within the widget they are the
 * widget's; combinations such as ctrl+S stay the host's.
 */
function keepKeys(root: HTMLElement): () => void {
  const decide = (event: KeyboardEvent) => {
    const combination = event.ctrlKey || event.metaKey;
    root.toggleAttribute("data-lm-suppress-shortcuts", !combination);
  };
  window.addEventListener("keydown", decide, true);
  return () => window.removeEventListener("keydown", decide, true);
}
