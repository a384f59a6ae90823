"""The gate of the loop: run freely, pause, or run one phase at a time.

The decode stage calls `Gate.enter` before each phase of a chunk. In the mode `run` the call returns at once; in `pause`
and `step` it blocks until a phase is granted, the mode changes, or other work is pending.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition
from typing import Any, Literal

from ..wire.limits import Mode

Phase = Literal["", "perceive", "decide", "respond"]
PHASES: tuple[Phase, ...] = ("perceive", "decide", "respond")
"""Phases of a chunk, in order. A chunk after which the model keeps silent has no third phase."""
MOST_GRANTS = 64
"""Granted phases that may be pending: key repeat must not keep the loop running long after the key is released."""

Outcome = Literal["go", "nudged", "closed"]


class Gate:
    """A gate that the decode stage passes before each phase.

    Parameters
    ----------
    changed
        Called, on any thread and without a lock, when mode, phase or chunk changed. In the mode `run` phases are not
        reported: they change faster than a page could show.
    blocks
        Called, in the same way, when the decode stage begins to block.

    Attributes
    ----------
    mode
        How the loop runs.
    phase, chunk
        The current or last phase, and its chunk; empty and -1 before the first.
    """

    def __init__(self, changed: Callable[[], None], blocks: Callable[[], None]) -> None:
        self._tell, self._blocks = changed, blocks
        self._condition = Condition()
        self._grants = 0
        self._nudged = False
        self._closed = False
        self._waits = False
        self.mode: Mode = "run"
        self.phase: Phase = ""
        self.chunk = -1

    @property
    def blocked(self) -> bool:
        """Whether the decode stage is blocked at the gate."""
        with self._condition:
            free = self.mode == "run" or self._grants or self._nudged or self._closed
            return self._waits and not free

    def enter(self, phase: Phase, chunk: int) -> Outcome:
        """Wait until the phase may begin.

        Returns
        -------
        str
            `go`; or `nudged`: do the pending work, then call again; or `closed`.
        """
        while True:
            with self._condition:
                outcome = self._outcome()
                if outcome is not None:
                    self._waits = False
                    told = outcome == "go" and self.mode != "run"
                    if outcome == "go":
                        self.phase, self.chunk = phase, chunk
                    break
                news, self._waits = not self._waits, True
                if not news:
                    self._condition.wait()
            if news:
                # Without the lock, since the callback may read `blocked`.
                self._blocks()
        if told:
            self._tell()
        return outcome

    def _outcome(self) -> Outcome | None:
        """Return what the stage may do now; None where it has to wait."""
        if self._closed:
            return "closed"
        if self.mode == "run":
            return "go"
        if self._nudged:
            self._nudged = False
            return "nudged"
        if self._grants:
            self._grants -= 1
            return "go"
        return None

    def set_mode(self, mode: Mode) -> bool:
        """Set the mode. Return False where it is set already."""
        with self._condition:
            if mode == self.mode:
                return False
            self.mode, self._grants = mode, 0
            if mode == "run":
                # Phases are not reported in this mode, so the page must not keep showing an old one.
                self.phase, self.chunk = "", -1
            self._condition.notify_all()
        self._tell()
        return True

    def grant(self) -> None:
        """Allow one more phase."""
        with self._condition:
            self._grants = min(self._grants + 1, MOST_GRANTS)
            self._condition.notify_all()

    def nudge(self) -> None:
        """Wake a blocked decode stage, which returns from `enter` to do pending work."""
        with self._condition:
            self._nudged = True
            self._condition.notify_all()

    def begin_session(self) -> None:
        """Reset phase, chunk and grants for a new session; a blocked stage returns from `enter`."""
        with self._condition:
            self.phase, self.chunk, self._grants = "", -1, 0
        self.nudge()
        self._tell()

    def close(self) -> None:
        """Close the gate: every call of `enter`, also a blocked one, returns `closed`."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def to_json(self) -> dict[str, Any]:
        """Return mode, phase and chunk."""
        with self._condition:
            return {"mode": self.mode, "phase": self.phase, "chunk": self.chunk}
