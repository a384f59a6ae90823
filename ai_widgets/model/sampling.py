"""Sampling: logits → distribution → token, with the probability of each step.

The order is fixed: raw softmax over the whole vocabulary; mask and bias; temperature, top-k and top-p; one uniform
draw. The draw inverts the cumulative distribution: the remaining tokens in order of falling probability divide [0, 1)
into intervals as long as their probabilities, and the random number selects an interval. Greedy decoding keeps only the
most probable token.

The logits are copied to the CPU once. All further steps use NumPy, so that a seed gives the same tokens on any device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import SettingError
from .distribution import Distribution, Softmax
from .remaining import Remaining


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
    argmax = int(raw.likeliest(1)[0])
    return Draw(token, drawn.p, drawn.kept, number, argmax, tuple(candidates))
