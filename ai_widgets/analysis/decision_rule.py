"""The decision of one chunk from its recorded numbers, under any sampling rule, without a model.

The arithmetic is that of `model.sampling`, on the few tokens that a record keeps. It uses doubles and `exp` only, so
that the page computes the same (`tests/vectors/what_if.json` holds both to it).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..protocol import Decision

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
    # The rule of a policy has other fields, and it has no logits.
    scores = _scores(decision, rule) if GREEDY in decision.rule else None
    if scores is None:
        return UNKNOWN
    names = [name for name, _ in scores]
    weights = _weights([score for _, score in scores], rule)
    total = sum(weights)
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
    """Return the tokens that top-k leaves, with their biased logits, the highest first; None if unknown.

    Of equal logits the first in the order of the tokens comes first, KEEP_SILENCE before TEXT_BEGIN.
    """
    scores = [(KEEP, decision.logit_keep), (TEXT, decision.logit_text + rule[BIAS])]
    count = 1 if rule[GREEDY] else rule[TOP_K]
    if rule[MASK]:
        return sorted(scores, key=lambda each: -each[1])[:count]
    others = _others(decision)
    if others is None or count is None:
        return None
    rest, highest_unknown = others
    ordered = sorted([*scores, *((OTHER, logit) for logit in rest)], key=lambda each: -each[1])
    if count > len(ordered) or ordered[count - 1][1] < highest_unknown:
        return None
    return ordered[:count]


def _others(decision: Decision) -> tuple[list[float], float] | None:
    """Return the logits of the other recorded tokens, and a bound of those that are not recorded; None if unknown.

    A record keeps the likeliest tokens, and the drawn one and both decision tokens in any case. So no token that is
    not recorded is likelier than the least likely of the other recorded ones, or than the likeliest if there are none.
    """
    logit, p = max((decision.logit_keep, decision.p_keep), (decision.logit_text, decision.p_text), key=lambda x: x[1])
    if not decision.alternatives or p <= 0:
        return None
    known = [each for each in decision.alternatives if each.text not in (KEEP, TEXT) and each.p > 0]
    likeliest = [each.p for each in known if each.token != decision.token]
    bound = min(likeliest) if likeliest else max(each.p for each in decision.alternatives)
    return [logit + math.log(each.p / p) for each in known], logit + math.log(bound / p)


def _weights(scores: Sequence[float], rule: Mapping[str, Any]) -> list[float]:
    """Return the weights of the tokens that remain after top-p, and 0 for the others."""
    if rule[GREEDY]:
        return [1.0, *(0.0 for _ in scores[1:])]
    weights = [math.exp((score - scores[0]) / rule[TEMPERATURE]) for score in scores]
    if rule[TOP_P] < 1:
        mass, reached = rule[TOP_P] * sum(weights), 0.0
        for place, weight in enumerate(weights):
            reached += weight
            if reached >= mass:
                return [*weights[: place + 1], *(0.0 for _ in weights[place + 1 :])]
    return weights
