/** Exported page of a record: the heading, and the widget's timeline, inspector and transcript. */

import { useSignal } from "@preact/signals";
import { useLayoutEffect } from "preact/hooks";
import { AnalysisLanes } from "./branches/analysis-lanes";
import type { RecordChannel } from "./channel/record-channel";
import { type Theme, watchTheme } from "./host/theme";
import { Banners } from "./panels/banners";
import { Panel } from "./panels/panel";
import { RecordHead } from "./panels/record-head";
import { RecordPanels } from "./panels/record-panels";
import { ReplayBar } from "./panels/replay-bar";
import { chunkCount } from "./record/record";
import { Timeline } from "./timeline/timeline";
import type { TimelineCanvas } from "./timeline/timeline-canvas";
import type { View } from "./view";

/** Longest record that is shown whole at first, in seconds. */
const FITS_S = 40;

export function ViewerApp({ view }: { view: View<RecordChannel> }) {
  const timeline = useSignal<TimelineCanvas | null>(null);
  const theme = useSignal<Theme>("light");
  const { store, channel } = view;
  useLayoutEffect(
    () =>
      watchTheme((found) => {
        theme.value = found;
        requestAnimationFrame(() => timeline.value?.restyle());
      }),
    [theme],
  );
  return (
    <div
      class="aiw aiw-viewer"
      dir="ltr"
      data-testid="aiw"
      data-theme={theme.value}
      data-chunks={chunkCount(store.record)}
      data-decisions={store.record.decided}
      data-turns={store.record.turns.length}
    >
      <RecordHead header={channel.header} />
      <Banners view={view} />
      <Panel name="timeline">
        <Timeline
          view={view}
          onCanvas={(made) => {
            timeline.value = made;
            if (made.end_s <= FITS_S) made.fit();
          }}
        >
          {timeline.value && <AnalysisLanes view={view} timeline={timeline.value} />}
        </Timeline>
      </Panel>
      <Panel name="replay bar">
        <ReplayBar view={view} />
      </Panel>
      <RecordPanels view={view} />
    </div>
  );
}
