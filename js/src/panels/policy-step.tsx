/** The inspector's view of a decision by a baseline policy: its rule, because a policy has no tokens. */
import type { Decision } from "../record/events";
import type { PolicyFacts } from "../record/policy";
import { CHOICE_WORDS } from "../store/readout";

interface Props {
  decision: Decision;
  policy: PolicyFacts;
  /** Whether all digits are shown. */
  exact: boolean;
}

export function PolicyStep({ decision, policy, exact }: Props) {
  const { score, facts, name } = policy;
  return (
    <div data-testid="policy-step">
      <h4 class="aiw-subheading" data-testid="inspected-step">
        The rule of the policy {name}
      </h4>
      {score && (
        <p class="aiw-fact" data-testid="policy-score">
          <span class="aiw-key">{score.name}</span>
          <strong>{exact ? score.value : score.value.toFixed(2)}</strong>
          {score.value >= score.threshold ? " ≥ " : " < "}
          {score.threshold} (threshold) → {CHOICE_WORDS[decision.choice]}
        </p>
      )}
      {facts.map(([key, value]) => (
        <p class="aiw-fact" key={key}>
          <span class="aiw-key">{key}</span>
          {value}
        </p>
      ))}
      <p class="aiw-hint">
        A policy has no tokens, no logits and no context, so there is no strip, no sampling and no cache here.
        Its rule is certain: p(TEXT_BEGIN) is {decision.p_text}
        {score && "; a score of its detector is no probability of a reply"}.
      </p>
    </div>
  );
}
