"""The decision of one chunk from its recorded numbers, under any sampling rule, without a model.

The arithmetic is that of `model.sampling`, on the few tokens that a record keeps. It uses doubles and `exp` only, so
that the page computes the same (`tests/vectors/what_if.json` holds both to it).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..protocol import Alternative, Decision

KEEP, TEXT, OTHER = "KEEP_SILENCE", "TEXT_BEGIN", "OTHER"
GREEDY, TEMPERATURE, TOP_K, TOP_P, BIAS, MASK = "greedy", "temperature", "top_k", "top_p", "bias", "mask"
REPLY = (GREEDY, TEMPERATURE, TOP_K, TOP_P)
"""Fields of a rule that also draw the tokens of replies."""


@dataclass(frozen=True)
class Outcome:
    """Decision under a rule.

    Attributes
    ----------
    choice
        `KEEP_SILENCE`, `TEXT_BEGIN` or `OTHER`; None if the recorded numbers do not tell.
    p_text
        Probability of TEXT_BEGIN in the distribution that is drawn from; None if the recorded numbers do not tell.
    """

    choice: str | None
    p_text: float | None


UNKNOWN = Outcome(None, None)


def decided(decision: Decision, rule: Mapping[str, Any]) -> Outcome:
    """Return the decision that a rule takes on a recorded distribution, with the recorded random number.

    Parameters
    ----------
    decision
        Recorded decision.
    rule
        `greedy`, `temperature`, `top_k` (None: all), `top_p`, `bias`, `mask`, as in `Decision.rule`.

    Returns
    -------
    Outcome
        Unknown if the rule draws and the recorded decision was greedy, so that it has no random number; and, without
        the mask, if more tokens take part than the record keeps.

    Examples
    --------
    >>> decided(decision, {**decision.rule, "bias": 2.0}).choice
    'TEXT_BEGIN'
    """
    scores = _scores(decision, rule)
    if scores is None:
        return UNKNOWN
    names = [name for name, _ in scores]
    weights = _weights([score for _, score in scores], rule)
    total = math.fsum(weights)
    p_text = sum(weight for name, weight in zip(names, weights, strict=True) if name == TEXT) / total
    if rule[GREEDY]:
        return Outcome(names[0], p_text)
    if decision.draw is None:
        return Outcome(None, p_text)
    mass, reached = decision.draw * total, 0.0
    for name, weight in zip(names, weights, strict=True):
        reached += weight
        if reached > mass:
            return Outcome(name, p_text)
    return Outcome(names[-1], p_text)


def _scores(decision: Decision, rule: Mapping[str, Any]) -> list[tuple[str, float]] | None:
    """Return the tokens that can be drawn before top-p, with their biased logits, the highest first; None if unknown.

    Of equal logits the first in the order of the tokens comes first; KEEP_SILENCE before TEXT_BEGIN.
    """
    two = [(KEEP, decision.logit_keep), (TEXT, decision.logit_text + rule[BIAS])]
    keep = 1 if rule[GREEDY] else rule[TOP_K]
    if not rule[MASK]:
        others = _others(decision.alternatives, decision.logit_keep, decision.logit_text)
        if keep is None or others is None or keep > len(others) + len(two):
            return None
        # With the bias the lowest kept score must still be above every token that is not recorded.
        two += others
    ordered = sorted(two, key=lambda each: -each[1])
    return ordered[:keep]


def _others(alternatives: Sequence[Alternative], logit_keep: float, logit_text: float) -> list[tuple[str, float]] | None:
    """Return the other recorded tokens with their logits; None if the record keeps no alternatives."""
    known = {each.text: each.p for each in alternatives}
    logit, p = max((logit_keep, known.get(KEEP, 0.0)), (logit_text, known.get(TEXT, 0.0)), key=lambda each: each[1])
    if not alternatives or p <= 0:
        return None
    rest = [each for each in alternatives if each.text not in (KEEP, TEXT) and each.p > 0]
    return [(OTHER, logit + math.log(each.p / p)) for each in rest]


def _weights(scores: Sequence[float], rule: Mapping[str, Any]) -> list[float]:
    """Return the weights of the tokens that remain after top-p, and 0 for the others."""
    if rule[GREEDY]:
        return [1.0, *(0.0 for _ in scores[1:])]
    weights = [math.exp((score - scores[0]) / rule[TEMPERATURE]) for score in scores]
    if rule[TOP_P] < 1:
        mass, reached = rule[TOP_P] * math.fsum(weights), 0.0
        for place, weight in enumerate(weights):
            reached += weight
            if reached >= mass:
                return [*weights[: place + 1], *(0.0 for _ in weights[place + 1 :])]
    return weights
