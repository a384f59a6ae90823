"""Compute 95 % intervals, calibration and F1."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv

Z = 1.959964
"""Standard normal quantile of a two-sided interval of 95 %."""
ROUNDS = 400
"""Bootstrap samples: enough for 95 % quantiles, and fast."""

T = TypeVar("T")


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval; `value` is None where there was no data."""

    value: float | None
    low: float | None
    high: float | None

    def to_json(self, digits: int = 4) -> dict[str, Any]:
        """Return the rounded values as JSON."""
        return {name: None if (v := getattr(self, name)) is None else round(v, digits) for name in _ESTIMATE}


_ESTIMATE = ("value", "low", "high")
NOTHING = Estimate(None, None, None)


def share(count: int, total: int) -> Estimate:
    """Return a proportion with its Wilson interval."""
    if total == 0:
        return NOTHING
    p, z2 = count / total, Z * Z
    centre = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = Z / (1 + z2 / total) * math.sqrt(p * (1 - p) / total + z2 / (4 * total * total))
    return Estimate(p, max(0.0, centre - half), min(1.0, centre + half))


def share_of(flags: Iterable[bool]) -> dict[str, Any]:
    """Return the share of flags that are true, with its Wilson interval and both counts, as JSON values."""
    values = list(flags)
    return {**share(sum(values), len(values)).to_json(), "count": sum(values), "of": len(values)}


def rate(count: int, hours: float) -> Estimate:
    """Return the events per hour with the exact Poisson interval."""
    if hours <= 0:
        return NOTHING
    low = float(gammaincinv(count, 0.025)) if count else 0.0
    return Estimate(count / hours, low / hours, float(gammaincinv(count + 1, 0.975)) / hours)


def bootstrap(items: Sequence[T], statistic: Callable[[Sequence[T]], float | None], seed: int = 0) -> Estimate:
    """Return a statistic of independent items (streams, not chunks) with its bootstrap percentile interval."""
    value = statistic(items)
    if value is None:
        return NOTHING
    rng = np.random.default_rng(seed)
    drawn = (statistic([items[i] for i in rng.integers(0, len(items), len(items))]) for _ in range(ROUNDS))
    values = [v for v in drawn if v is not None]
    return Estimate(value, float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975)))


@dataclass(frozen=True)
class Reliability:
    """Sums over probability bins of equal width, which can be added up over streams."""

    count: npt.NDArray[np.float64]
    p: npt.NDArray[np.float64]
    true: npt.NDArray[np.float64]

    @staticmethod
    def of(p: npt.ArrayLike, truth: npt.ArrayLike, bins: int = 10) -> Reliability:
        """Sum probabilities and true outcomes in bins."""
        p, truth = np.asarray(p, np.float64), np.asarray(truth, np.float64)
        place = np.minimum((p * bins).astype(int), bins - 1)
        count, expected, true = (
            np.asarray(np.bincount(place, w, bins), np.float64) for w in (np.ones_like(p), p, truth)
        )
        return Reliability(count, expected, true)

    @staticmethod
    def total(parts: Sequence[Reliability]) -> Reliability:
        """Return the sum of several reliabilities."""
        return Reliability(*(np.sum([getattr(r, name) for r in parts], axis=0) for name in ("count", "p", "true")))

    def error(self, from_bin: int = 0) -> float | None:
        """Return the expected calibration error: |confidence - frequency|, weighted by the size of the bins."""
        count = self.count[from_bin:].sum()
        if not count:
            return None
        return float(np.abs(self.p - self.true)[from_bin:].sum() / count)


def f1(confusion: dict[str, dict[str, int]], name: str) -> float | None:
    """Return the F1 of one class of a table ``[what sounded][what was said]``; None where the class never sounded."""
    row = confusion.get(name, {})
    if not sum(row.values()):
        return None
    hits = row.get(name, 0)
    said = sum(columns.get(name, 0) for columns in confusion.values())
    return 2 * hits / (sum(row.values()) + said)


def macro_f1(confusion: dict[str, dict[str, int]], names: Sequence[str]) -> float | None:
    """Return the mean F1 of the classes that sounded."""
    values = [value for name in names if (value := f1(confusion, name)) is not None]
    return sum(values) / len(values) if values else None
