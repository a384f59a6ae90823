/** Updates of the store by the kernel's messages about branches. */

import { batch } from "@preact/signals";
import type { BranchEvents, BranchState } from "../channel/messages";
import { completeEvent } from "../record/complete-event";
import { applyEvent, emptyRecord } from "../record/record";
import type { Branch } from "./branch";
import type { Store } from "./store";

/** Add, update or remove a branch by its newest state. */
export function takeBranch(store: Store, told: BranchState): void {
  const before = store.branches.value;
  const known = before.find((branch) => branch.told.branch === told.branch);
  const taken = { told, record: known?.record ?? emptyRecord() };
  if (told.state === "dropped") store.branches.value = before.filter((branch) => branch !== known);
  else if (known) store.branches.value = before.map((branch) => (branch === known ? taken : branch));
  else store.branches.value = [...before, taken];
}

/** Add events to one of the branches. Return false if earlier events are missing. */
export function addBranchEvents(
  store: Store,
  message: BranchEvents,
  among: readonly Branch[] = store.branches.value,
): boolean {
  const branch = among.find(({ told }) => told.branch === message.branch);
  // The answer to the next hello holds the branch and all of its events.
  if (!branch) return false;
  const held = branch.record.count - message.first;
  if (held < 0) return false;
  const fresh = message.events.slice(held);
  if (fresh.length === 0) return true;
  batch(() => {
    for (const event of fresh) applyEvent(branch.record, completeEvent(event), store.vocabulary.value);
    store.branchVersion.value += 1;
  });
  return true;
}

/** Remove all branches. */
export function clearBranches(store: Store): void {
  if (store.branches.value.length > 0) store.branches.value = [];
}
