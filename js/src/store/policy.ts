/** Whether a baseline policy listens in the place of a model. */

import { policyOf } from "../record/policy";
import type { Store } from "./store";

/** Told by the kernel with the model, and by each decision: a saved record has decisions alone. */
export function isPolicy({ model, record, version }: Store): boolean {
  if (model.value.kind === "policy") return true;
  void version.value;
  const { decisions } = record;
  const newest = decisions.get(decisions.length - 1);
  return newest !== undefined && policyOf(newest) !== null;
}
