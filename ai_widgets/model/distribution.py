"""Softmax distributions over the vocabulary: `Distribution` of the model's logits, `Softmax` of scores made of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

Scores = npt.NDArray[np.floating[Any]]

ROW = 512
"""Number of scores per row, whose maxima lead to the highest scores: 297 maxima for 151,936 scores. With shorter rows
the maxima take longer; with longer rows the search in the rows of the highest takes longer."""


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
        # `reduce` in place of `max` and `sum`, whose Python code takes 30 µs where the caches hold other data.
        self._maxima: Scores = np.maximum.reduceat(scores, np.arange(0, len(scores), ROW))
        self.highest = float(np.maximum.reduce(self._maxima))
        with np.errstate(invalid="ignore"):
            # NumPy's exp, because torch's takes ten times as long for arguments that underflow.
            self.all_weights = self.weights(scores)
            self.total = float(np.add.reduce(self.all_weights))
        self._likeliest: npt.NDArray[np.intp] = np.zeros(0, np.intp)

    def weights(self, scores: Scores) -> Scores:
        """Compute the weights of scores, that is their probabilities before the division by `total`."""
        weights: Scores = scores - self.highest
        if self.temperature != 1:
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
        """Return the indices of the `count` highest scores, highest first, equal scores in their order.

        The longest result is kept.
        """
        if len(self._likeliest) < min(count, len(self.scores)):
            self._likeliest = self._highest(count)
        return self._likeliest[:count]

    def _highest(self, count: int) -> npt.NDArray[np.intp]:
        scores, maxima = self.scores, self._maxima
        if count >= len(maxima):
            places = np.arange(len(scores))
        else:
            # The count-th highest score is at least the count-th highest maximum of a row.
            floor = np.partition(maxima, -count)[-count]
            rows = np.flatnonzero(maxima >= floor)
            places = (rows[:, None] * ROW + np.arange(ROW)).ravel()
            # The last row may be shorter.
            places = places[: np.searchsorted(places, len(scores))]
            places = places[scores[places] >= floor]
        return places[np.argsort(-scores[places], kind="stable")[:count]]


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
