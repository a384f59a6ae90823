/** Detection of a baseline policy in place of a model. */

import { policyOf } from "../record/policy";
import type { Store } from "./store";

/**
 * Return whether a policy decides. The kernel reports it with the model, and in each decision: a saved record has
 * decisions only.
 */
export function isPolicy({ model, record, version }: Store): boolean {
  if (model.value.kind === "policy") return true;
  void version.value;
  const { decisions } = record;
  const newest = decisions.get(decisions.length - 1);
  return newest !== undefined && policyOf(newest) !== null;
}
