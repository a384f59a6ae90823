"""`Branch`: one fork of the widget's session, its state and its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Condition
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from ...record.chunk_names import chunk_names
from ...record.record import SessionRecord
from ..stages.stage import GLANCE_SECONDS
from ..wire.limits import BranchStatus

if TYPE_CHECKING:
    from ...session.fork import Forced, Past
    from ...session.replay import Difference

MAX_VALUE = 40
"""Characters of a setting's value in the head of a branch; a system prompt is longer."""
FINISHED: frozenset[BranchStatus] = frozenset({"done", "cancelled", "failed"})


@dataclass(frozen=True)
class Change:
    """What a branch changes.

    Attributes
    ----------
    chunk, until
        First chunk that is decided again, and the last one; None: the last one that the original has heard.
    settings, force, audio
        As in `StreamingSession.fork`.
    """

    chunk: int
    until: int | None
    settings: Mapping[str, Any]
    force: Forced | Mapping[int, Forced] | None
    audio: Mapping[int, npt.ArrayLike | int | None] | None

    def __str__(self) -> str:
        parts = [f"{name} {_short(value)}" for name, value in self.settings.items()]
        if isinstance(self.force, str):
            parts.append(f"{self.force} forced")
        else:
            for name in sorted(set((self.force or {}).values())):
                at = [chunk for chunk, forced in (self.force or {}).items() if forced == name]
                parts.append(f"{name} forced at {chunk_names(at)}")
        audio = self.audio or {}
        muted = [at for at, other in audio.items() if other is None]
        moved = {at: other for at, other in audio.items() if isinstance(other, int)}
        samples = [at for at in audio if at not in muted and at not in moved]
        if muted:
            parts.append("muted" if muted == [self.chunk] else f"{chunk_names(muted)} muted")
        if moved and set(moved) == set(moved.values()):
            # An exchange: each of two spans has the audio of the other.
            later = [at for at, other in moved.items() if other < at]
            parts.append(f"{chunk_names(set(moved) - set(later))} and {chunk_names(later)} exchanged")
        elif moved:
            parts.append(f"{chunk_names(moved)} with the audio of {chunk_names(moved.values())}")
        if samples:
            parts.append(f"other audio at {chunk_names(samples)}")
        return ", ".join(parts) or "nothing changed"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…"


class Branch:
    """A fork of the widget's session that decides again what the session has heard; `AudioInteraction.fork` makes it.

    Attributes
    ----------
    number
        Number among the widget's branches, counted from 1.
    change
        What it changes.
    original
        Record of the session.
    error
        What the branch failed with, or None.

    Examples
    --------
    >>> branch = w.fork(chunk=12, force="TEXT_BEGIN")  # doctest: +SKIP
    >>> branch.wait()  # doctest: +SKIP
    True
    >>> print(branch.first_difference)  # doctest: +SKIP
    chunk 12, decision, choice: KEEP_SILENCE → TEXT_BEGIN
    """

    def __init__(self, number: int, change: Change, original: SessionRecord, request: int = 0) -> None:
        self.number, self.change, self.original, self.request = number, change, original, request
        self.error: Exception | None = None
        self._status: BranchStatus = "queued"
        self._cancelled = False
        self._difference: Difference | None = None
        # Record, number of shared events, chunks heard by the original: one value, since any thread reads it.
        self._run: tuple[SessionRecord, int, int] = SessionRecord(), 0, 0
        self._past: Past | None = None
        self._changed = Condition()

    @property
    def status(self) -> BranchStatus:
        """`queued`, `running`, `done`, `cancelled` or `failed`."""
        return self._status

    @property
    def record(self) -> SessionRecord:
        """Events and audio of the branch: the original's up to the fork, then its own. Empty until the branch runs."""
        return self._run[0]

    @property
    def shared(self) -> int:
        """Number of events of the record that are the original's."""
        return self._run[1]

    @property
    def done(self) -> bool:
        """Whether the branch has ended: everything is decided, or it was cancelled, or it failed."""
        return self._status in FINISHED

    @property
    def cancelled(self) -> bool:
        """Whether the branch is to end before everything is decided."""
        return self._cancelled

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the branch has ended. Return False after `timeout` seconds.

        Raises
        ------
        Exception
            What the branch failed with.
        """
        end = None if timeout is None else monotonic() + timeout
        with self._changed:
            while not self.done:
                left = GLANCE_SECONDS if end is None else min(GLANCE_SECONDS, end - monotonic())
                if left <= 0:
                    return False
                self._changed.wait(left)
        if self.error is not None:
            raise self.error
        return True

    def cancel(self) -> None:
        """End the branch after the token at work; its record keeps what was decided."""
        with self._changed:
            self._cancelled = True
            if self._status == "queued":
                self._status = "cancelled"
            self._changed.notify_all()

    @property
    def first_difference(self) -> Difference | None:
        """The first decision, token or reply that differs from the original's, or None if none does so far."""
        if self.done:
            return self._difference
        return self._compare(complete=False)

    def _compare(self, *, complete: bool) -> Difference | None:
        from ...session.replay import first_divergence

        record, shared, heard = self._run
        last = heard - 1 if self.change.until is None else min(self.change.until, heard - 1)
        return first_divergence(self.original, record, shared, last, complete=complete) if heard else None

    def __repr__(self) -> str:
        return f"<Branch {self.number} at chunk {self.change.chunk}: {self.change}; {self._status}>"

    # For the thread that runs it, and the one that owns the session --------------------------------------------------

    @property
    def own(self) -> tuple[SessionRecord, int]:
        """The record, and the number of its events that are the original's; one value, for any thread."""
        return self._run[:2]

    def take(self, past: Past) -> None:
        """Take what the original's thread has copied for the branch."""
        with self._changed:
            self._past = past
            self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        """End the branch with an exception."""
        with self._changed:
            if not self.done:
                self.error, self._status, self._past = error, "failed", None
            self._changed.notify_all()

    def wait_for_past(self, timeout: float) -> Past | None:
        """Return what was copied, or None where the branch has ended or `timeout` seconds have passed."""
        with self._changed:
            self._changed.wait_for(lambda: self._past is not None or self.done, timeout)
            past, self._past = self._past, None
            return None if self.done else past

    def begin(self, record: SessionRecord, shared: int, heard: int) -> None:
        """Show the record of the fork, which runs from now on; `heard`: chunks that the original has heard."""
        with self._changed:
            self._run = record, shared, heard
            if not self.done:
                self._status = "running"

    def end(self) -> None:
        """End the branch: everything is decided, or it was cancelled."""
        # Compared once, and here: pages are told again and again, also while the process ends.
        difference = self._compare(complete=not (self._cancelled or self.done))
        with self._changed:
            self._difference = difference
            if not self.done:
                self._status = "cancelled" if self._cancelled else "done"
            self._changed.notify_all()
