/** Table of each branch: its replies beside those of the original, where they differ. */

import { type ReplyPair, replyPairs } from "../record/branch-difference";
import { chunkStart } from "../record/record";
import { isReplyHidden } from "../store/hidden";
import type { View } from "../view";
import { clock } from "./turn-item";

/** Rows shown of each branch, the newest. More would push the transcript out of its card. */
const MOST_PAIRS = 20;

/** Render a table for each branch with another reply. */
export function BranchReplies({ view }: { view: View }) {
  const { store } = view;
  void [store.version.value, store.branchVersion.value];
  const hidden = view.hiddenFrom.value;
  return (
    <>
      {store.branches.value.map(({ told, record }) => {
        const pairs = replyPairs(store.record, record, told.chunk).filter(
          (pair) => !isReplyHidden(hidden, pair),
        );
        if (pairs.length === 0) return null;
        return (
          <table key={told.branch} class="aiw-compare" data-testid="compare" data-branch={told.branch}>
            <caption>
              Replies that differ in branch {told.branch} <small>{told.changed}</small>
              {pairs.length > MOST_PAIRS && (
                <small>
                  {" "}
                  · the newest {MOST_PAIRS} of {pairs.length}
                </small>
              )}
            </caption>
            <thead>
              <tr>
                <th scope="col">at</th>
                <th scope="col">original</th>
                <th scope="col">branch {told.branch}</th>
              </tr>
            </thead>
            <tbody>
              {pairs.slice(-MOST_PAIRS).map((pair) => (
                <Row key={pair.chunk} view={view} pair={pair} />
              ))}
            </tbody>
          </table>
        );
      })}
    </>
  );
}

function Row({ view, pair }: { view: View; pair: ReplyPair }) {
  return (
    <tr>
      <th scope="row">
        <button
          type="button"
          class="aiw-turn-time"
          title="Show in the timeline"
          onClick={() => view.showChunk(pair.chunk)}
        >
          {clock(chunkStart(view.store.record, pair.chunk))}
        </button>
      </th>
      {[pair.original, pair.branch].map((text, i) => (
        <td key={i} dir="auto">
          {text ?? <i>silent</i>}
        </td>
      ))}
    </tr>
  );
}
