"""Problems on their way to the pages: repeats are coalesced and counted, and the newest of each kind always arrives.

A broken sender may cause thousands of problems a second; a page must neither be flooded with them nor miss the one
that matters. So the rate is limited for each kind (code and page) apart, and what the limit holds back is only what a
newer problem of the same kind has replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from .budget import Budget

BURST = 5
"""Problems of one kind that are told one by one before the rate is limited."""
PROBLEM_SECONDS = 1.0
"""Least time between two problems of one kind afterwards: as fast as a person can follow a count."""
MOST_KINDS = 64
"""Kinds that are told apart: there are few codes and few pages. Beyond it the one quiet longest is dropped."""

Kind = tuple[str, str]


class Problems:
    """Collects problem messages and gives out those that are due.

    Parameters
    ----------
    clock
        Gives the time in seconds; it never goes back.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._budgets: dict[Kind, Budget] = {}
        self._held: dict[Kind, dict[str, Any]] = {}

    def add(self, message: dict[str, Any]) -> None:
        """Take in a `problem` message. It replaces one of its kind that is still held, and counts it in `times`."""
        kind = (message["code"], message["page"])
        before = self._held.pop(kind, None)
        times = message["times"] + (before["times"] if before else 0)
        self._held[kind] = {**message, "times": times}
        # Moved to the end: the first is the one that is quiet longest.
        budget = self._budgets.pop(kind) if kind in self._budgets else Budget(BURST, PROBLEM_SECONDS, self._clock)
        self._budgets[kind] = budget

    def take(self) -> list[dict[str, Any]]:
        """Messages that may be sent now, in the order in which they came."""
        due = [kind for kind in self._held if self._budgets[kind].spend()]
        taken = [self._held.pop(kind) for kind in due]
        quiet = [kind for kind in self._budgets if kind not in self._held]
        for kind in quiet[: max(0, len(self._budgets) - MOST_KINDS)]:
            del self._budgets[kind]
        return taken

    @property
    def wait(self) -> float | None:
        """Seconds until `take` gives something out; None where nothing is held."""
        return min((self._budgets[kind].wait for kind in self._held), default=None)
