"""`check`: compare the answer of an exercise with its expected value."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache

from ..errors import UnknownExerciseError, printable
from . import exercises as modules
from .exercise import Exercise, Verdict


@cache
def all_exercises() -> dict[str, Exercise]:
    """List all exercises by name: those of each module in `teaching/exercises/`, in `EXERCISES` there."""
    found: dict[str, Exercise] = {}
    for module in sorted(each.name for each in pkgutil.iter_modules(modules.__path__)):
        found |= importlib.import_module(f"{modules.__name__}.{module}").EXERCISES
    return found


def check(name: str, answer: object) -> Verdict:
    """Say in one sentence whether an answer is right, how far off it is, or what type is expected.

    Parameters
    ----------
    name
        Name of the exercise, as its notebook gives it.
    answer
        Your answer; None for none yet.

    Returns
    -------
    Verdict
        True in a condition where the answer is right; its text is the sentence. It does not name the solution.

    Raises
    ------
    UnknownExerciseError
        If no exercise has this name.

    Examples
    --------
    >>> check("chunks_of_a_clip", 2)
    Too low, by less than the value itself. A chunk lasts 0.4 s; what is left over is padded to a whole one.
    """
    there = all_exercises()
    if name not in there:
        near = difflib.get_close_matches(str(name), there, n=1)
        meant = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(there)}."
        raise UnknownExerciseError(f"There is no exercise {printable(repr(name))[:60]}; {meant}")
    return there[name].check(answer)
