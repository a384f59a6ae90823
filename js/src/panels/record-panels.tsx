/** Panels that explain a record: what-if, inspector and transcript, in every page that shows one. */

import type { View } from "../view";
import { Inspector } from "./inspector";
import { Panel } from "./panel";
import { Transcript } from "./transcript";
import { WhatIfPanel } from "./what-if";

export function RecordPanels({ view }: { view: View }) {
  return (
    <>
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
    </>
  );
}
