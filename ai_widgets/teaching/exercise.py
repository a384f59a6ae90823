"""Exercises: what is expected, computed when an answer is checked, and a verdict in one sentence.

A verdict says whether an answer is right, or how far off it is and in which direction. It never holds the solution.
"""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

BANDS = (
    (0.1, "by less than a tenth"),
    (0.25, "by less than a quarter"),
    (0.5, "by less than a half"),
    (1.0, "by less than the value itself"),
)
"""Upper bounds of a distance as a part of the expected value, and their words: a direction to go on from, which is too
coarse to compute the solution with."""
FAR = "by more than the value itself"
"""Words for a distance above all bands."""


@dataclass(frozen=True)
class Verdict:
    """What `check` says about an answer; a notebook shows its sentence.

    Attributes
    ----------
    right
        Whether the answer is right.
    sentence
        Whether it is right, how far off it is, or what kind of answer is expected.
    """

    right: bool
    sentence: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.sentence


def off(answer: float, expected: float, scale: float) -> str:
    """Say in which direction and roughly how far an answer is from the expected value."""
    part = abs(answer - expected) / (scale or abs(expected) or 1.0)
    words = next((words for bound, words in BANDS if part < bound), FAR)
    return f"Too {'high' if answer > expected else 'low'}, {words}."


@dataclass(frozen=True)
class Exercise(ABC):
    """One exercise of a notebook.

    Attributes
    ----------
    expected
        Function that computes the value, from the model and a clip where that is cheap.
    unit
        What the answer counts or is measured in, in words: "chunks", "seconds".
    hint
        Sentence that follows a wrong answer; where to look, without the solution.
    """

    expected: Callable[[], Any]
    unit: str = ""
    hint: str = ""

    @property
    @abstractmethod
    def wanted(self) -> str:
        """What an answer has to be, in words."""

    @abstractmethod
    def taken(self, answer: object) -> Any:
        """Return the answer in the form that is compared, or None if it has another type."""

    @abstractmethod
    def fault(self, answer: Any) -> str:
        """Return what is wrong with an answer of the right type; empty if nothing is."""

    def check(self, answer: object) -> Verdict:
        """Compare an answer with the expected value."""
        if answer is None or answer is ...:
            return Verdict(False, f"No answer yet: replace None by {self.wanted}.")
        taken = self.taken(answer)
        if taken is None:
            shown = repr(answer) if len(repr(answer)) <= 40 else f"a {type(answer).__name__}"
            return Verdict(False, f"Expected is {self.wanted}; given was {shown}.")
        fault = self.fault(taken)
        return Verdict(False, " ".join(filter(None, (fault, self.hint)))) if fault else Verdict(True, "Right.")


def real(answer: object) -> float | None:
    """Return a finite real number, also of numpy or torch, as a float; None for anything else."""
    # An array of one number without axes becomes that number, any other one a list, which is refused below.
    answer = answer.tolist() if hasattr(answer, "tolist") else answer
    if isinstance(answer, bool) or not isinstance(answer, numbers.Real):
        return None
    return float(answer) if math.isfinite(answer) else None


@dataclass(frozen=True)
class Number(Exercise):
    """An exercise whose answer is a number.

    Attributes
    ----------
    tolerance
        Greatest distance from the expected value that still is right.
    scale
        Distance that counts as the value itself; 0 for the expected value's own size.
    """

    tolerance: float = 0.0
    scale: float = 0.0

    @property
    def wanted(self) -> str:
        return f"a number ({self.unit})" if self.unit else "a number"

    def taken(self, answer: object) -> float | None:
        return real(answer)

    def fault(self, answer: float) -> str:
        expected = float(self.expected())
        return "" if abs(answer - expected) <= self.tolerance else off(answer, expected, self.scale)


@dataclass(frozen=True)
class Count(Number):
    """An exercise whose answer is a whole number."""

    @property
    def wanted(self) -> str:
        return f"a whole number ({self.unit})" if self.unit else "a whole number"

    def taken(self, answer: object) -> float | None:
        number = real(answer)
        return number if number is not None and number.is_integer() else None


@dataclass(frozen=True)
class OneOf(Exercise):
    """An exercise whose answer is one of a few texts; upper and lower case are the same.

    Attributes
    ----------
    choices
        All answers that may be given.
    """

    choices: tuple[str, ...] = ()

    @property
    def wanted(self) -> str:
        return f"one of {', '.join(map(repr, self.choices))}"

    def taken(self, answer: object) -> str | None:
        return next((each for each in self.choices if isinstance(answer, str) and each.lower() == answer.lower()), None)

    def fault(self, answer: str) -> str:
        return "" if answer == self.expected() else f"No, it is not {answer!r}."


@dataclass(frozen=True)
class Chunks(Exercise):
    """An exercise whose answer is a set of whole numbers in any order, such as the chunks that are replied to."""

    @property
    def wanted(self) -> str:
        return f"a list of whole numbers ({self.unit or 'chunks'})"

    def taken(self, answer: object) -> frozenset[int] | None:
        if isinstance(answer, (str, bytes, dict)) or not isinstance(answer, Iterable):
            return None
        found = [real(each) for each in answer]
        if any(each is None or not each.is_integer() for each in found):
            return None
        return frozenset(int(each) for each in found if each is not None)

    def fault(self, answer: frozenset[int]) -> str:
        expected = frozenset(int(each) for each in self.expected())
        if answer == expected:
            return ""
        return f"{len(answer & expected)} of your {len(answer)} are right, and {len(expected - answer)} are missing."
