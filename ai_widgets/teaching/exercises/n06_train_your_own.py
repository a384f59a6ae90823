"""The exercise of `06_train_your_own`."""

from __future__ import annotations

from ..exercise import Count, Exercise

EXAM_CLIPS_OF_A_CLASS = 10
"""Clips of each of the three classes in the notebook's exam; to one of the classes no reply is due."""

EXERCISES: dict[str, Exercise] = {
    "right_without_a_word": Count(
        lambda: EXAM_CLIPS_OF_A_CLASS,
        unit="clips",
        hint="For one of the three classes, saying nothing is the right answer.",
    ),
}
"""Exercises by name; a tolerance is in the unit of its answer."""
