"""Sampling: logits → distribution → token, with the probability of each step.

The order is fixed: raw softmax over the whole vocabulary; mask and bias; temperature, top-k and top-p; one uniform
draw. The draw inverts the cumulative distribution: the remaining tokens in order of falling probability divide [0, 1)
into intervals as long as their probabilities, and the random number selects an interval. Greedy decoding keeps only the
most probable token.

The logits are copied to the CPU once. All further steps use NumPy, so that a seed gives the same tokens on any device.
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
"""Number of tokens ranked first. The draw and top-p rarely need more; if they do, the whole vocabulary is ranked."""
ROWS = 64
"""Number of rows into which the scores are reshaped to find the highest: the column maxima are few enough to sort."""
BLOCK = 512
"""Number of weights per partial sum of the cumulative distribution."""
STRIDE = 64
"""Every STRIDE-th score is looked at to estimate where in the ranking a draw falls: 2,374 of 151,936."""
MARGIN = 48
"""Scores of that sample on either side of the estimate: about ten times its standard error for independent scores."""


@dataclass(frozen=True)
class SamplingRule:
    """Parameters of a draw.

    Attributes
    ----------
    greedy
        Whether to take the most probable token; the other fields then have no effect.
    temperature
        Divisor of the logits, above 0 and at most 100.
    top_k
        Number of the most probable tokens to keep; None keeps all.
    top_p
        Probability mass to keep: of the tokens that top-k keeps, the smallest set with at least this mass. 1 keeps all.

    Raises
    ------
    SettingError
        If a value is not allowed.
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
    """Reported token with its probability after each step.

    Attributes
    ----------
    token
        Token id.
    p
        Raw probability: softmax over the whole vocabulary.
    scaled
        Probability after mask, bias and temperature: softmax over the allowed tokens. With greedy decoding the
        temperature is 1.
    kept
        Probability after top-k and top-p, normalised again; 0 if the token was removed. With greedy decoding 1 for the
        drawn token.
    """

    token: int
    p: float
    scaled: float
    kept: float


@dataclass(frozen=True)
class Draw:
    """Result of a draw.

    Attributes
    ----------
    token
        Drawn token id.
    p, p_drawn
        Raw probability of the token, and its probability in the distribution that it was drawn from.
    draw
        Uniform random number in [0, 1) that selected the token; None for greedy decoding.
    argmax
        Most probable token id of the whole vocabulary, before mask and bias.
    likeliest
        Most probable tokens and requested tokens, in order of falling raw probability.
    """

    token: int
    p: float
    p_drawn: float
    draw: float | None
    argmax: int
    likeliest: tuple[Candidate, ...]


class Softmax:
    """Softmax distribution: ``p = exp((score - highest) / temperature) / total``.

    Parameters
    ----------
    scores
        float32 or float64 [n].
    temperature
        Divisor of the scores.

    Attributes
    ----------
    highest, all_weights, total
        Highest score, weights ``exp((score - highest) / temperature)`` of all scores [n], and their sum; the sum is NaN
        if a score is NaN or +infinity.
    """

    def __init__(self, scores: Scores, temperature: float = 1.0) -> None:
        self.scores, self.temperature = scores, temperature
        self.highest = float(scores.max())
        with np.errstate(invalid="ignore"):
            # NumPy's exp, because torch's takes ten times as long for arguments that underflow.
            self.all_weights = self.weights(scores)
            self.total = float(self.all_weights.sum())
        self._likeliest: npt.NDArray[np.intp] = np.zeros(0, np.intp)

    def weights(self, scores: Scores) -> Scores:
        """Compute the weights of scores, that is their probabilities before the division by `total`."""
        weights: Scores = scores - self.highest
        weights /= self.temperature
        np.exp(weights, out=weights)
        return weights

    def weight(self, score: float) -> float:
        """Compute the weight of one score."""
        return math.exp((score - self.highest) / self.temperature)

    def p(self, score: float) -> float:
        """Compute the probability of a token with this score."""
        return self.weight(score) / self.total

    def likeliest(self, count: int) -> npt.NDArray[np.intp]:
        """Return the indices of the `count` highest scores, as `highest` does; the longest result is kept."""
        if len(self._likeliest) < min(count, len(self.scores)):
            self._likeliest = highest(self.scores, count)
        return self._likeliest[:count]


class Distribution(Softmax):
    """Raw distribution of the model: softmax over the whole vocabulary.

    Parameters
    ----------
    logits
        float32 [vocabulary], on any device.
    """

    def __init__(self, logits: Tensor) -> None:
        super().__init__(logits.cpu().numpy())

    @property
    def finite(self) -> bool:
        """Whether the distribution is defined: no logit is NaN, and the highest logit is finite."""
        return math.isfinite(self.highest) and math.isfinite(self.total)


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
        self._ranked: Scores = scaled.scores[scaled.likeliest(count or FRONT)].astype(np.float64)
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
        rank = rank_at(self._weights, mass, "right")
        score = self._ranked[rank]
        return int(equal_to(self._scaled.scores, score)[rank - int(np.argmax(self._ranked == score))])

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


def place_between(scaled: Softmax, mass: float) -> int | None:
    """Return the index of the token at which the cumulative weight first exceeds `mass`, or None if it is not found.

    A sample of the scores estimates two bounds of that token's score. Only the scores between them are ranked; the
    weights above them are summed. The result is that of ranking the whole vocabulary, which takes longer.
    """
    scores, weights = scaled.scores, scaled.all_weights
    sample = np.sort(scores[::STRIDE])[::-1]
    edges = np.cumsum(scaled.weights(sample), dtype=np.float64)
    middle = int(np.searchsorted(edges, mass / scaled.total * edges[-1]))
    # Scores beyond the ends of the sample are possible.
    high = sample[middle - MARGIN] if middle >= MARGIN else np.inf
    low = sample[middle + MARGIN] if middle + MARGIN < len(sample) else -np.inf
    # Multiplied, because selecting by a mask takes six times as long.
    above = float((weights * (scores > high)).sum(dtype=np.float64))
    ranked = np.sort(scores[np.flatnonzero((scores <= high) & (scores >= low))])[::-1]
    edges = above + np.cumsum(scaled.weights(ranked), dtype=np.float64)
    if not above <= mass < edges[-1]:
        return None
    rank = int(np.searchsorted(edges, mass, "right"))
    return int(equal_to(scores, ranked[rank])[rank - int(np.argmax(ranked == ranked[rank]))])


def highest(scores: Scores, count: int) -> npt.NDArray[np.intp]:
    """Return the indices of the `count` highest scores, highest first, equal scores in their order."""
    columns = len(scores) // ROWS
    if count > columns:
        places = np.arange(len(scores))
    else:
        # The count-th highest score is at least the count-th highest column maximum.
        maxima = scores[: ROWS * columns].reshape(ROWS, columns).max(0)
        floor = np.partition(maxima, -count)[-count]
        # Many scores may equal the floor; the first row usually contains enough of them.
        equal = np.flatnonzero(scores[:columns] == floor)
        if len(equal) < count:
            equal = np.flatnonzero(scores == floor)
        places = np.concatenate([np.flatnonzero(scores > floor), equal[:count]])
    return places[np.argsort(-scores[places], kind="stable")[:count]]


def rank_at(weights: Scores, mass: float, side: Literal["left", "right"]) -> int:
    """Return the rank at which the cumulative weight first reaches (`left`) or exceeds (`right`) `mass`.

    The search runs over the sums of blocks first, then inside one block, so that most cumulative sums are not computed.
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
    forced: int | None = None,
) -> Draw:
    """Draw one token.

    Parameters
    ----------
    raw
        Raw distribution.
    rule, generator
        Sampling rule, and random generator; a draw takes one number from the generator, a greedy draw none.
    allowed
        Token ids that may be drawn (the decision mask); None allows all.
    bias
        Token id, and the number added to its logit after the raw distribution was computed.
    likeliest
        Number of the most probable tokens to report; the drawn token and those of `report` are added. 0 reports none.
    report
        Token ids to report in any case.
    forced
        Token id to return in place of the drawn one; the draw still takes its number from the generator, so that later
        draws are those of a run without it. Its `p_drawn` is 0 if it could not have been drawn.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> draw(Distribution(torch.tensor([0.0, 2.0, 1.0])), SamplingRule(greedy=True), generator).token
    1
    """
    # Mask and bias. Below, a token is identified by its index in `scores`.
    logits = raw.scores
    ids: Sequence[int] = range(len(logits)) if allowed is None else list(allowed)
    scores = logits if allowed is None else logits[ids].astype(np.float64)
    if bias is not None and bias[1] and bias[0] in ids:
        scores = scores.astype(np.float64)
        scores[ids.index(bias[0])] += bias[1]
    # Temperature, top-k, top-p, draw.
    temperature = 1.0 if rule.greedy else rule.temperature
    scaled = raw if scores is logits and temperature == raw.temperature else Softmax(scores, temperature)
    number = None if rule.greedy else float(generator.random())
    remaining = Remaining(scaled, rule)
    token = ids[remaining.place(number or 0.0)] if forced is None else forced

    def candidate(token: int) -> Candidate:
        p = raw.p(float(logits[token]))
        if token not in ids:
            return Candidate(token, p, 0.0, 0.0)
        place = ids.index(token)
        return Candidate(token, p, scaled.p(float(scores[place])), remaining.p(place))

    asked = dict.fromkeys((*raw.likeliest(likeliest).tolist(), token, *report)) if likeliest else ()
    candidates = sorted(map(candidate, asked), key=lambda candidate: -candidate.p)
    drawn = candidate(token)
    return Draw(token, drawn.p, drawn.kept, number, int(logits.argmax()), tuple(candidates))
