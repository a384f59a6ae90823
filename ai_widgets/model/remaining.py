"""`Remaining`: the tokens that top-k and top-p keep, and which of them a random number selects.

The remaining tokens in order of falling probability divide [0, 1) into intervals as long as their probabilities. A
large vocabulary is ranked only as far as needed: the first tokens, the part in which the number falls, else all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from .distribution import Scores, Softmax

if TYPE_CHECKING:
    from .sampling import SamplingRule

FRONT = 64
"""Number of tokens that top-p ranks first. It rarely needs more; if it does, the whole vocabulary is ranked."""
FIRST = 8
"""Number of tokens ranked first where all remain. Most draws of a trained model fall there; others rank a part."""
BLOCK = 512
"""Number of weights per partial sum of the cumulative distribution."""
STRIDE = 64
"""Every STRIDE-th score is looked at to estimate where in the ranking a draw falls: 2,374 of 151,936."""
MARGIN = 48
"""Scores of that sample on either side of the estimate: about ten times its standard error for independent scores."""
ESTIMATES = 4
"""Estimates of that part before all scores are ranked. The first one misses the part where a few tokens hold most of
the mass; each later one begins at an exact sum."""


class Remaining:
    """Distribution after top-k and top-p.

    Parameters
    ----------
    scaled
        Distribution after mask, bias and temperature.
    rule
        Sampling rule; greedy keeps the most probable token.
    """

    def __init__(self, scaled: Softmax, rule: SamplingRule) -> None:
        self._scaled = scaled
        count = 1 if rule.greedy else rule.top_k
        self._all = count is None and rule.top_p == 1
        # The remaining scores, highest first, their weights, and the sum of all remaining weights.
        self._ranked: Scores = scaled.scores[scaled.likeliest(count or (FIRST if self._all else FRONT))].astype(
            np.float64
        )
        self._weights = scaled.weights(self._ranked)
        ranked_all = count is not None or len(self._ranked) == len(scaled.scores)
        self._total = float(self._weights.sum()) if ranked_all else scaled.total
        if not ranked_all and rule.top_p < 1 and self._weights.sum() <= rule.top_p * self._total:
            self._rank_all()
        if rule.top_p < 1:
            # Keep the tokens up to and including the one that reaches top_p.
            end = rank_at(self._weights, rule.top_p * self._total, "left") + 1
            self._ranked, self._weights = self._ranked[:end], self._weights[:end]
            self._total = float(self._weights.sum(dtype=np.float64))

    def place(self, number: float) -> int:
        """Return the index of the token whose interval contains a number in [0, 1)."""
        mass = number * self._total
        if self._all and len(self._ranked) < len(self._scaled.scores) and self._weights.sum() <= mass:
            place = place_between(self._scaled, mass)
            if place is not None:
                return place
            self._rank_all()
            mass = number * self._total
        return index_at(self._scaled.scores, self._ranked, rank_at(self._weights, mass, "right"))

    def p(self, place: int) -> float:
        """Compute the probability of the token at an index; 0 if the token was removed."""
        score, lowest = float(self._scaled.scores[place]), self._ranked[-1]
        remains = self._all or score > lowest or (score == lowest and place in self._last())
        return self._scaled.weight(score) / self._total if remains else 0.0

    def _rank_all(self) -> None:
        self._ranked = np.sort(self._scaled.scores)[::-1]
        self._weights = self._scaled.weights(self._ranked)
        self._total = float(self._weights.sum(dtype=np.float64))

    def _last(self) -> npt.NDArray[np.intp]:
        """Return the indices of the remaining tokens with the lowest remaining score."""
        lowest = self._ranked[-1]
        return equal_to(self._scaled.scores, lowest)[: int(np.count_nonzero(self._ranked == lowest))]


def equal_to(scores: Scores, score: float) -> npt.NDArray[np.intp]:
    """Return the indices of all scores that equal a score, in their order."""
    return np.flatnonzero(scores == score)


def index_at(scores: Scores, ranked: Scores, rank: int) -> int:
    """Return the index of the score at a rank, equal scores in their order; `ranked` has all scores that equal it."""
    score = ranked[rank]
    return int(equal_to(scores, score)[rank - int(np.argmax(ranked == score))])


def place_between(scaled: Softmax, mass: float) -> int | None:
    """Return the index of the token at which the cumulative weight first exceeds `mass`, or None if it is not found.

    A sample of the scores estimates two bounds of that token's score. Only the scores between them are ranked; the
    weights above them are summed. Where the token lies beyond a bound, the exact sum at that bound leads to the next
    estimate. The result is that of ranking the whole vocabulary, which takes longer.
    """
    scores, weights = scaled.scores, scaled.all_weights
    sample = np.sort(scores[::STRIDE])[::-1]
    sampled = np.cumsum(scaled.weights(sample), dtype=np.float64)
    target = mass / scaled.total * sampled[-1]
    for _ in range(ESTIMATES):
        middle = int(np.searchsorted(sampled, target))
        first, last = middle - MARGIN, middle + MARGIN
        # Scores beyond the ends of the sample are possible.
        high = sample[first] if first >= 0 else np.inf
        low = sample[last] if last < len(sample) else -np.inf
        # Of a trained model few scores are as high: to gather their weights is faster than to sum all by a mask.
        places = np.flatnonzero(scores >= low)
        among = scores[places]
        above = among > high
        before = float(weights[places[above]].sum(dtype=np.float64))
        inside = np.flatnonzero(~above)
        between = among[inside]
        ranked = np.sort(between)[::-1]
        edges = before + np.cumsum(scaled.weights(ranked), dtype=np.float64)
        if before <= mass < edges[-1]:
            rank = int(np.searchsorted(edges, mass, "right"))
            return int(places[inside[index_at(between, ranked, rank)]])
        if mass < before:
            target = mass / before * sampled[first]
        elif last < len(sample):
            share = (mass - edges[-1]) / max(scaled.total - edges[-1], mass - edges[-1])
            target = sampled[last] + share * (sampled[-1] - sampled[last])
        else:
            break
    return None


def rank_at(weights: Scores, mass: float, side: Literal["left", "right"]) -> int:
    """Return the rank at which the cumulative weight first reaches (`left`) or exceeds (`right`) `mass`.

    The search runs over the sums of blocks first, then inside one block, so that most cumulative sums are not computed.
    """
    if len(weights) <= BLOCK:
        edges = np.cumsum(weights, dtype=np.float64)
        return min(int(np.searchsorted(edges, mass, side)), len(weights) - 1)
    blocks = np.add.reduceat(weights, np.arange(0, len(weights), BLOCK), dtype=np.float64).cumsum()
    block = min(int(np.searchsorted(blocks, mass, side)), len(blocks) - 1)
    start, before = block * BLOCK, blocks[block - 1] if block else 0.0
    edges = before + np.cumsum(weights[start : start + BLOCK], dtype=np.float64)
    return min(start + int(np.searchsorted(edges, mass, side)), len(weights) - 1)
