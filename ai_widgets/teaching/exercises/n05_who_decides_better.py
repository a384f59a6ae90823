"""The exercise of `05_who_decides_better`."""

from __future__ import annotations

from ..exercise import Exercise, Number

SILENT_SHARE = 0.585
"""Share of the sounds of a published benchmark of proactive sounds that need no reply: the plain accuracy of a policy
that is always silent."""

EXERCISES: dict[str, Exercise] = {
    "plain_accuracy_in_percent": Number(
        lambda: 100 * (SILENT_SHARE * 0.9 + (1 - SILENT_SHARE) * 0.6),
        unit="percent",
        hint="58.5 % of the sounds need no reply, and the others do; weigh 90 % and 60 % by these shares.",
        tolerance=0.1,
    ),
}
"""Exercises by name; a tolerance is in the unit of its answer."""
