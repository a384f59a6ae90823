"""Rate-limit problem messages: repeats are coalesced and counted, and the newest of each kind is always sent.

A broken sender may cause thousands of problems a second; they must not flood a page, nor hide a problem of another
kind. So each kind (code and page) has its own rate limit, and only problems that a newer one of the same kind replaces
are dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from .budget import Budget

BURST = 5
"""Problems of one kind that are sent one by one before the rate is limited."""
PROBLEM_SECONDS = 1.0
"""Least seconds between two problems of one kind afterwards: as fast as a user can follow a count."""
MOST_KINDS = 64
"""Kinds with a rate limit of their own, far more than codes times pages; beyond it the longest unused is evicted."""

Kind = tuple[str, str]


class Problems:
    """A queue of problem messages with a rate limit for each kind.

    Parameters
    ----------
    clock
        Returns a monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._budgets: dict[Kind, Budget] = {}
        self._held: dict[Kind, dict[str, Any]] = {}

    def add(self, message: dict[str, Any]) -> None:
        """Queue a `problem` message. It replaces a queued one of its kind, which it counts in `times`."""
        kind = (message["code"], message["page"])
        before = self._held.pop(kind, None)
        times = message["times"] + (before["times"] if before else 0)
        self._held[kind] = {**message, "times": times}
        # Moved to the end, so that the first kind is the longest unused.
        budget = self._budgets.pop(kind) if kind in self._budgets else Budget(BURST, PROBLEM_SECONDS, self._clock)
        self._budgets[kind] = budget

    def take(self) -> list[dict[str, Any]]:
        """Remove and return the messages that may be sent now, in order of arrival."""
        due = [kind for kind in self._held if self._budgets[kind].spend()]
        taken = [self._held.pop(kind) for kind in due]
        quiet = [kind for kind in self._budgets if kind not in self._held]
        for kind in quiet[: max(0, len(self._budgets) - MOST_KINDS)]:
            del self._budgets[kind]
        return taken

    @property
    def wait(self) -> float | None:
        """Seconds until `take` returns a message; None where the queue is empty."""
        return min((self._budgets[kind].wait for kind in self._held), default=None)
