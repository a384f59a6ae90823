/** A fork of the session that the kernel runs beside it. */

import type { BranchState } from "../channel/messages";
import type { SessionRecord } from "../record/record";

export interface Branch {
  readonly told: BranchState;
  /** Events from the fork on, by the chunks of the original. Grows in place; `store.branchVersion` counts its changes. */
  readonly record: SessionRecord;
}
