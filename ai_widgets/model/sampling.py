"""Logits → distribution → token, each step visible.

The order is fixed: raw softmax over the whole vocabulary (what the model believes), then the set of allowed tokens and
the bias, then temperature, top-k and top-p (what the settings make of it), then one uniform draw. Greedy takes the
likeliest allowed token after the bias. The draw comes from a NumPy generator on the CPU, so a seed means the same
everywhere, whatever the device.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import SettingError


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


class Distribution:
    """What the model believes: the raw softmax over the whole vocabulary.

    Parameters
    ----------
    logits
        float32 [vocabulary].
    """

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        self._highest = float(logits.max())
        # Single precision, shifted by the maximum: exact to 1e-6, and twenty times faster than double on a CPU.
        self._total = float(torch.exp(logits - self._highest).sum())

    @property
    def finite(self) -> bool:
        """Whether there is a distribution: no NaN among the logits, and a largest one that is finite."""
        return math.isfinite(self._highest) and math.isfinite(self._total)

    def p(self, logit: float) -> float:
        """Probability that belongs to one of the logits."""
        return math.exp(logit - self._highest) / self._total


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
    logits = raw.logits
    values, ids = torch.topk(logits, min(max(likeliest, 1), len(logits)))
    top = dict(zip(ids.tolist(), values.tolist(), strict=True))
    candidates, scores = _candidates(logits, rule, allowed, bias)
    if rule.greedy:
        place, number, share = int(np.argmax(scores)), None, 1.0
        order, shares = np.array([place]), np.ones(1)
    else:
        order, shares = _shares(scores, rule)
        number = float(generator.random())
        within = min(int(np.searchsorted(np.cumsum(shares), number, side="right")), len(shares) - 1)
        place, share = int(order[within]), float(shares[within])
    token = int(candidates[place])
    p, argmax = raw.p(float(logits[token])), next(iter(top))
    if not likeliest:
        return Draw(token, p, share, number, argmax, ())
    for asked in (token, *report):
        if asked not in top:
            top[asked] = float(logits[asked])
    scaled = _Scaled(raw, rule, allowed, bias)
    # What is reported nearly always stands in front: the bias moves ranks by one, ties are looked up.
    front = slice(0, likeliest + 1)
    kept = dict(zip(candidates[order[front]].tolist(), shares[front].tolist(), strict=True))
    reported = [
        Candidate(
            asked,
            raw.p(logit),
            scaled.p(asked, logit),
            kept[asked] if asked in kept else _share_of(asked, candidates, order, shares),
        )
        for asked, logit in top.items()
    ]
    reported.sort(key=lambda candidate: -candidate.p)
    return Draw(token, p, share, number, argmax, tuple(reported))


def _share_of(token: int, candidates: np.ndarray, order: np.ndarray, shares: np.ndarray) -> float:
    """The share of a token wherever it stands; 0 where it was removed."""
    found = np.flatnonzero(candidates[order] == token)
    return float(shares[found[0]]) if len(found) else 0.0


class _Scaled:
    """The distribution after mask, bias and temperature, before top-k and top-p."""

    def __init__(
        self, raw: Distribution, rule: SamplingRule, allowed: Sequence[int] | None, bias: tuple[int, float] | None
    ) -> None:
        self._temperature = 1.0 if rule.greedy else rule.temperature
        self._allowed, self._bias = allowed, bias
        scores = raw.logits if allowed is None else raw.logits[list(allowed)].double()
        biased = -math.inf
        if bias is not None and (allowed is None or bias[0] in allowed):
            # Added on its own, in double precision: beside a large bias single precision would lose digits.
            place = bias[0] if allowed is None else list(allowed).index(bias[0])
            biased = float(scores[place]) + bias[1]
            scores = scores.clone()
            scores[place] = -math.inf
        self._highest = max(float(scores.max()), biased)
        self._total = float(torch.exp((scores - self._highest) / self._temperature).sum())
        self._total += math.exp((biased - self._highest) / self._temperature)

    def p(self, token: int, logit: float) -> float:
        """Probability of a token with this raw logit."""
        if self._allowed is not None and token not in self._allowed:
            return 0.0
        score = logit + (self._bias[1] if self._bias is not None and self._bias[0] == token else 0.0)
        return math.exp((score - self._highest) / self._temperature) / self._total


def _candidates(
    logits: Tensor, rule: SamplingRule, allowed: Sequence[int] | None, bias: tuple[int, float] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Ids that may be drawn and their biased logits (float64). With top-k only a handful leaves the device."""
    if allowed is not None:
        ids = np.asarray(allowed)
        scores = logits[list(allowed)].double().cpu().numpy()
    else:
        wanted = 1 if rule.greedy else rule.top_k
        if wanted is not None and wanted < len(logits):
            # One more than asked for, since the bias may push a token out of or into the first k.
            values, places = torch.topk(logits, min(wanted + 1, len(logits)))
            ids, scores = places.cpu().numpy(), values.double().cpu().numpy()
            if bias is not None and bias[0] not in ids:
                ids = np.append(ids, bias[0])
                scores = np.append(scores, float(logits[bias[0]].double()))
        else:
            ids, scores = np.arange(len(logits)), logits.double().cpu().numpy()
    if bias is not None:
        scores = scores + np.where(ids == bias[0], bias[1], 0.0)
    return ids, scores


def _shares(scores: np.ndarray, rule: SamplingRule) -> tuple[np.ndarray, np.ndarray]:
    """Places that remain after top-k and top-p, likeliest first, and their probabilities."""
    order = np.argsort(-scores, kind="stable")[: rule.top_k]
    scaled = scores[order] / rule.temperature
    shares = np.exp(scaled - scaled.max())
    shares /= shares.sum()
    if rule.top_p < 1:
        # Keep up to and including the token that reaches top_p.
        kept = int(np.searchsorted(np.cumsum(shares), rule.top_p, side="left")) + 1
        order, shares = order[:kept], shares[:kept] / shares[:kept].sum()
    return order, shares
