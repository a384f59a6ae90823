/** Lanes of the onset curve and of the raster of seeds below those of the session, each with a sentence. */

import type { AnalysisKind } from "../channel/messages";
import { settingsText } from "../panels/run-on";
import { SmallButton } from "../panels/small-button";
import { onsetText, seedsText } from "../record/onset";
import type { Scene } from "../timeline/painter";
import type { TimelineCanvas } from "../timeline/timeline-canvas";
import type { View } from "../view";
import { ONSET_HEIGHT, paintOnset, paintSeeds, rasterHeight } from "./analysis-picture";
import { LaneCanvas } from "./lane-canvas";

/** Render the lanes of the results; nothing without a result. */
export function AnalysisLanes({ view, timeline }: { view: View; timeline: TimelineCanvas }) {
  const onset = view.onset.value;
  const seeds = view.store.analyses.value.seeds?.seeds;
  return (
    <>
      {onset && (
        <Lane
          {...{ view, timeline }}
          what="onset"
          title="Onset"
          said={onsetText(onset)}
          settings={onset.settings}
          names={["P(reply)", "P(first)"]}
          height={ONSET_HEIGHT}
          paint={(context, scene) => paintOnset(context, scene, onset)}
        />
      )}
      {seeds && (
        <Lane
          {...{ view, timeline }}
          what="seeds"
          title={`${seeds.seeds.length} seeds`}
          said={seedsText(seeds)}
          settings={seeds.settings}
          names={[`seeds ${seeds.seeds[0]}…${seeds.seeds.at(-1)}`]}
          height={rasterHeight(seeds)}
          paint={(context, scene) => paintSeeds(context, scene, seeds)}
        />
      )}
    </>
  );
}

interface LaneProps {
  view: View;
  timeline: TimelineCanvas;
  what: AnalysisKind;
  title: string;
  said: string;
  settings: Readonly<Record<string, unknown>>;
  names: readonly string[];
  height: number;
  paint: (context: CanvasRenderingContext2D, scene: Scene) => void;
}

function Lane({ view, timeline, what, title, said, settings, names, height, paint }: LaneProps) {
  const { closed } = view;
  if (closed.value.includes(what)) return null;
  const told = settingsText(settings);
  return (
    <section class="aiw-branch" data-testid={`lane-${what}`} aria-label={title}>
      <header class="aiw-branch-head">
        <strong>{title}</strong>
        {told && <b>{told}</b>}
        <span class="aiw-branch-said">{said}</span>
        <SmallButton
          label={`Close: ${title}`}
          data-testid={`close-${what}`}
          onClick={() => {
            closed.value = [...closed.value, what];
          }}
        >
          ×
        </SmallButton>
      </header>
      <div class="aiw-lanes">
        <div class="aiw-branch-names aiw-analysis-names" aria-hidden="true">
          {names.map((name) => (
            <span key={name}>{name}</span>
          ))}
        </div>
        <LaneCanvas {...{ view, timeline, height, paint }} />
      </div>
    </section>
  );
}
