/** A record on a page of its own: the heading, and the timeline, inspector and transcript that the widget has. */

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { RecordChannel } from "./channel/record-channel";
import { type Theme, watchTheme } from "./host/theme";
import { Banners } from "./panels/banners";
import { Inspector } from "./panels/inspector";
import { Panel } from "./panels/panel";
import { RecordHead } from "./panels/record-head";
import { ReplayBar } from "./panels/replay-bar";
import { Transcript } from "./panels/transcript";
import { WhatIfPanel } from "./panels/what-if";
import { chunkCount } from "./record/record";
import { Timeline } from "./timeline/timeline";
import type { TimelineCanvas } from "./timeline/timeline-canvas";
import type { View } from "./view";

/** Up to this length, in seconds, the whole record is in sight at first. */
const FITS_S = 40;

export function ViewerApp({ view }: { view: View<RecordChannel> }) {
  const timeline = useRef<TimelineCanvas | null>(null);
  const theme = useSignal<Theme>("light");
  const { store, channel } = view;
  useLayoutEffect(
    () =>
      watchTheme((found) => {
        theme.value = found;
        requestAnimationFrame(() => timeline.current?.restyle());
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
            timeline.current = made;
            if (made.end_s <= FITS_S) made.fit();
          }}
        />
      </Panel>
      <Panel name="replay bar">
        <ReplayBar view={view} />
      </Panel>
      <Panel name="what-if panel">
        <WhatIfPanel view={view} />
      </Panel>
      <div class="aiw-panels">
        <Panel name="inspector">
          <Inspector view={view} />
        </Panel>
        <Panel name="transcript">
          <Transcript view={view} />
        </Panel>
      </div>
    </div>
  );
}
