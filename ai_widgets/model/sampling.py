"""Logits → distribution → token, each step visible.

The order is fixed: raw softmax over the whole vocabulary (what the model believes), then the set of allowed tokens and
the bias, then temperature, top-k and top-p (what the settings make of it), then one uniform draw: the tokens that
remain are laid side by side, the likeliest first, each as wide as its probability, and a number in [0, 1) falls on one
of them. Greedy keeps only the likeliest.

The logits are copied to the CPU once. All that follows is NumPy, so a seed gives the same tokens whatever the device.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ..errors import SettingError

Scores = npt.NDArray[np.floating[Any]]

FRONT = 64
"""Tokens that are ranked at first. Draw and top-p rarely reach further; where they do, the whole vocabulary is."""
ROWS = 64
"""Rows into which scores are folded to find the highest: the maxima of the columns are few enough to be sorted."""
BLOCK = 512
"""Weights that are summed up at a time."""


@dataclass(frozen=True)
class SamplingRule:
    """How a token is drawn.

    Attributes
    ----------
    greedy
        Take the likeliest; the other fields are then without effect.
    temperature
        Divides the logits; above 0.
    top_k
        Keep the k likeliest; None keeps all.
    top_p
        Of these keep the smallest set with at least this mass; 1 keeps all.
    """

    greedy: bool = False
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature <= 100:
            raise SettingError(
                f"temperature must be above 0 and at most 100, not {self.temperature!r}; for no randomness use greedy."
            )
        if self.top_k is not None and self.top_k < 1:
            raise SettingError(f"top_k must be at least 1, not {self.top_k!r}; leave it out to keep all tokens.")
        if not 0 < self.top_p <= 1:
            raise SettingError(f"top_p must be above 0 and at most 1, not {self.top_p!r}.")


@dataclass(frozen=True)
class Candidate:
    """One token of a report: what became of its probability from step to step.

    Attributes
    ----------
    token
        Its id.
    p
        Raw: the softmax over the whole vocabulary.
    scaled
        After mask, bias and temperature: the softmax over the allowed tokens. Greedy: with temperature 1.
    kept
        After top-k and top-p, made to add up to 1 again; 0 where it was removed. Greedy: 1 for the drawn token.
    """

    token: int
    p: float
    scaled: float
    kept: float


@dataclass(frozen=True)
class Draw:
    """One drawn token and where it came from.

    Attributes
    ----------
    token
        The drawn id.
    p, p_drawn
        Its raw probability, and its probability in the distribution it was drawn from.
    draw
        The uniform number in [0, 1) that picked it; None when greedy.
    argmax
        The likeliest id of the whole vocabulary, before mask and bias.
    likeliest
        The likeliest tokens and those that were asked for, raw probabilities falling.
    """

    token: int
    p: float
    p_drawn: float
    draw: float | None
    argmax: int
    likeliest: tuple[Candidate, ...]


class Softmax:
    """A probability for every score: ``exp((score - highest) / temperature) / total``.

    Parameters
    ----------
    scores
        float32 or float64 [n].
    temperature
        Divides the scores.

    Attributes
    ----------
    highest, total
        The highest score, and the sum of all weights ``exp((score - highest) / temperature)``. The sum is NaN where a
        score is NaN or +infinity.
    """

    def __init__(self, scores: Scores, temperature: float = 1.0) -> None:
        self.scores, self.temperature = scores, temperature
        self.highest = float(scores.max())
        with np.errstate(invalid="ignore"):
            # NumPy's exp, since torch's takes ten times as long where it underflows.
            self.total = float(self.weights(scores).sum())

    def weights(self, scores: Scores) -> Scores:
        """Probabilities of some of the scores, before the division by `total`."""
        weights: Scores = scores - self.highest
        weights /= self.temperature
        np.exp(weights, out=weights)
        return weights

    def weight(self, score: float) -> float:
        """The same of one score."""
        return math.exp((score - self.highest) / self.temperature)

    def p(self, score: float) -> float:
        """Probability of a token with this score."""
        return self.weight(score) / self.total


class Distribution(Softmax):
    """What the model believes: the raw softmax over the whole vocabulary.

    Parameters
    ----------
    logits
        float32 [vocabulary], on any device.
    """

    def __init__(self, logits: Tensor) -> None:
        super().__init__(logits.cpu().numpy())

    @property
    def finite(self) -> bool:
        """Whether there is a distribution: no NaN among the logits, and a largest one that is finite."""
        return math.isfinite(self.highest) and math.isfinite(self.total)


class Remaining:
    """What top-k and top-p leave of a distribution.

    Parameters
    ----------
    scaled
        The distribution after mask, bias and temperature.
    rule
        Greedy keeps the likeliest token.
    number
        The number in [0, 1) that will be drawn: where nothing is removed, only the tokens up to there are ranked.
    """

    def __init__(self, scaled: Softmax, rule: SamplingRule, number: float) -> None:
        self._scaled = scaled
        count = 1 if rule.greedy else rule.top_k
        self._all = count is None and rule.top_p == 1
        # What is drawn from: scores that remain, highest first, their weights, and the sum of all weights that remain.
        self._ranked: Scores = scaled.scores[highest(scaled.scores, count or FRONT)].astype(np.float64)
        self._weights = scaled.weights(self._ranked)
        ranked_all = count is not None or len(self._ranked) == len(scaled.scores)
        self._total = float(self._weights.sum()) if ranked_all else scaled.total
        reach = rule.top_p if rule.top_p < 1 else number
        if not ranked_all and self._weights.sum() <= reach * self._total:
            self._ranked = np.sort(scaled.scores)[::-1]
            self._weights = scaled.weights(self._ranked)
            self._total = float(self._weights.sum(dtype=np.float64))
        if rule.top_p < 1:
            # Up to and including the token that reaches top_p.
            end = rank_at(self._weights, rule.top_p * self._total, "left") + 1
            self._ranked, self._weights = self._ranked[:end], self._weights[:end]
            self._total = float(self._weights.sum(dtype=np.float64))

    def place(self, number: float) -> int:
        """Place of the token on which a number in [0, 1) falls."""
        return int(self._equal(rank_at(self._weights, number * self._total, "right"))[-1])

    def p(self, place: int) -> float:
        """Probability of the token at a place; 0 where it was removed."""
        score, lowest = float(self._scaled.scores[place]), self._ranked[-1]
        remains = self._all or score > lowest or (score == lowest and place in self._equal(len(self._ranked) - 1))
        return self._scaled.weight(score) / self._total if remains else 0.0

    def _equal(self, rank: int) -> npt.NDArray[np.intp]:
        """Places of the tokens that have the score of this rank, up to the token that has the rank."""
        score = self._ranked[rank]
        return np.flatnonzero(self._scaled.scores == score)[: rank + 1 - int(np.argmax(self._ranked == score))]


def highest(scores: Scores, count: int) -> npt.NDArray[np.intp]:
    """Places of the `count` highest scores, the highest first and equal ones in their order."""
    columns = len(scores) // ROWS
    if count > columns:
        places = np.arange(len(scores))
    else:
        # The count-th highest of all is at least the count-th highest of the columns' maxima.
        maxima = scores[: ROWS * columns].reshape(ROWS, columns).max(0)
        floor = np.partition(maxima, -count)[-count]
        # Very many may be equal to it: then the first row has enough of them.
        equal = np.flatnonzero(scores[:columns] == floor)
        if len(equal) < count:
            equal = np.flatnonzero(scores == floor)
        places = np.concatenate([np.flatnonzero(scores > floor), equal[:count]])
    return places[np.argsort(-scores[places], kind="stable")[:count]]


def rank_at(weights: Scores, mass: float, side: Literal["left", "right"]) -> int:
    """Rank of the token whose right edge first reaches (`left`) or passes (`right`) `mass`, weights laid side by side.

    First among the edges of whole blocks, then inside one of them: most of a large vocabulary's edges are not needed.
    """
    blocks = np.add.reduceat(weights, np.arange(0, len(weights), BLOCK), dtype=np.float64).cumsum()
    block = min(int(np.searchsorted(blocks, mass, side)), len(blocks) - 1)
    start, before = block * BLOCK, blocks[block - 1] if block else 0.0
    edges = before + np.cumsum(weights[start : start + BLOCK], dtype=np.float64)
    return min(start + int(np.searchsorted(edges, mass, side)), len(weights) - 1)


def draw(
    raw: Distribution,
    rule: SamplingRule,
    generator: np.random.Generator,
    *,
    allowed: Sequence[int] | None = None,
    bias: tuple[int, float] | None = None,
    likeliest: int = 5,
    report: Sequence[int] = (),
) -> Draw:
    """Draw one token.

    Parameters
    ----------
    raw
        The raw distribution.
    rule, generator
        How to draw; one number is taken from the generator, none when greedy.
    allowed
        Only these ids may be drawn (the decision mask); None allows all.
    bias
        A token and what is added to its logit after the raw distribution was read.
    likeliest
        How many of the likeliest tokens to report; the drawn one and those of `report` join them. 0 reports none.
    report
        Tokens to report whether likely or not.
    """
    # Mask and bias; from here on a token is a place in `scores`.
    logits = raw.scores
    ids: Sequence[int] = range(len(logits)) if allowed is None else list(allowed)
    scores = logits if allowed is None else logits[ids].astype(np.float64)
    if bias is not None and bias[0] in ids:
        scores = scores.astype(np.float64)
        scores[ids.index(bias[0])] += bias[1]
    # Temperature, top-k, top-p, draw.
    scaled = Softmax(scores, 1.0 if rule.greedy else rule.temperature)
    number = None if rule.greedy else float(generator.random())
    remaining = Remaining(scaled, rule, number or 0.0)
    place = remaining.place(number or 0.0)
    token = ids[place]

    def candidate(token: int) -> Candidate:
        p = raw.p(float(logits[token]))
        if token not in ids:
            return Candidate(token, p, 0.0, 0.0)
        place = ids.index(token)
        return Candidate(token, p, scaled.p(float(scores[place])), remaining.p(place))

    asked = dict.fromkeys((*highest(logits, likeliest).tolist(), token, *report)) if likeliest else ()
    candidates = sorted(map(candidate, asked), key=lambda candidate: -candidate.p)
    p = raw.p(float(logits[token]))
    return Draw(token, p, remaining.p(place), number, int(logits.argmax()), tuple(candidates))
