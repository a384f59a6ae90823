/** Lanes of the branches below those of the session: each from its fork on, with a mark where it differs. */

import { useLayoutEffect } from "preact/hooks";
import { SmallButton } from "../panels/small-button";
import { clock } from "../panels/turn-item";
import { Walk } from "../panels/walk";
import { differences } from "../record/branch-difference";
import { chunkStart } from "../record/record";
import type { Branch } from "../store/branch";
import { CHOICE_WORDS } from "../store/readout";
import type { TimelineCanvas } from "../timeline/timeline-canvas";
import type { View } from "../view";
import { BRANCH_HEIGHT, paintBranch } from "./branch-picture";
import { LaneCanvas } from "./lane-canvas";

const STATES: Record<string, string> = {
  queued: "waiting for its turn",
  running: "running…",
  done: "",
  cancelled: "cancelled",
  failed: "failed",
};

/** Render the lanes of all branches; nothing without branches. */
export function BranchLanes({ view, timeline }: { view: View; timeline: TimelineCanvas }) {
  return (
    <>
      {view.store.branches.value.map((branch) => (
        <BranchLane key={branch.told.branch} {...{ view, branch, timeline }} />
      ))}
    </>
  );
}

function BranchLane({ view, branch, timeline }: { view: View; branch: Branch; timeline: TimelineCanvas }) {
  const { store, channel } = view;
  const { told, record } = branch;
  useLayoutEffect(
    () => store.branchVersion.subscribe(() => timeline.invalidate("lanes", true)),
    [timeline, store],
  );
  const name = `Branch ${told.branch}`;
  const from = clock(chunkStart(store.record, told.chunk));
  return (
    <section
      class="aiw-branch"
      data-testid="branch"
      data-branch={told.branch}
      data-state={told.state}
      aria-label={`${name} from chunk ${told.chunk}: ${told.changed}`}
    >
      <header class="aiw-branch-head">
        <strong>{name}</strong>
        <span>
          from chunk {told.chunk} ({from}){told.until !== null && ` to ${told.until}`}: <b>{told.changed}</b>
        </span>
        <Differences view={view} branch={branch} />
        <SmallButton
          data-testid="branch-close"
          label={`Close ${name.toLowerCase()}`}
          onClick={() => channel.branching?.drop(told.branch)}
        >
          ×
        </SmallButton>
      </header>
      <div class="aiw-lanes aiw-branch-lanes">
        <div class="aiw-branch-names" aria-hidden="true">
          <span>decision</span>
          <span>p(TEXT)</span>
          <span>reply</span>
        </div>
        <LaneCanvas
          {...{ view, timeline }}
          height={BRANCH_HEIGHT}
          paint={(context, scene) => paintBranch(context, scene, { chunk: told.chunk, record })}
        />
      </div>
    </section>
  );
}

/** Render the state of the branch, its first difference, and buttons that move between the differences. */
function Differences({ view, branch }: { view: View; branch: Branch }) {
  const { store } = view;
  const { told, record } = branch;
  void [store.version.value, store.branchVersion.value];
  const shown = view.hiddenFrom.value.decision;
  const found = differences(store.record, record, told.chunk).filter((chunk) => chunk < shown);
  return (
    <>
      <span role="status" class="aiw-branch-said" data-testid="branch-said" data-differences={found.length}>
        {[STATES[told.state], told.message, differenceText(store.record, record, told.state, found)]
          .filter(Boolean)
          .join(" · ")}
      </span>
      {found.length > 0 && <Walk view={view} name="branch" chunks={found} />}
    </>
  );
}

function differenceText(
  original: Branch["record"],
  branch: Branch["record"],
  state: string,
  found: readonly number[],
): string {
  const [first] = found;
  if (first === undefined) return state === "done" ? "the same decisions and replies" : "";
  const [was, now] = [original.decisions.choiceOf(first), branch.decisions.choiceOf(first)];
  const how = was && now && was !== now ? `${CHOICE_WORDS[was]} → ${CHOICE_WORDS[now]}` : "another reply";
  const count = found.length === 1 ? "1 chunk differs" : `${found.length} chunks differ`;
  return `${count}, first ${first}: ${how}`;
}
