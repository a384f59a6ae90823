"""The loop's gate: run freely, hold, or do one phase at a time.

The decode stage asks before each phase of a chunk. In the mode `run` it may always go on; in `pause` and `step` it
waits here until somebody grants a phase, changes the mode, or gives it something else to do.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition
from typing import Any, Literal

from ..wire.messages import Mode

Phase = Literal["", "perceive", "decide", "respond"]
PHASES: tuple[Phase, ...] = ("perceive", "decide", "respond")
"""What happens to a chunk, in order. A chunk after which the model keeps silent has no third phase."""
MOST_GRANTS = 64
"""Grants that may wait; a key that is held down must not run the loop long after it was let go."""

Outcome = Literal["go", "nudged", "closed"]


class Gate:
    """Lets the decode stage through, phase by phase.

    Parameters
    ----------
    changed
        Called, on any thread and without a lock, when mode, phase or chunk changed. In the mode `run` phases are not
        told: they follow each other faster than anybody could read.
    held
        Called, in the same way, when the decode stage begins to wait.

    Attributes
    ----------
    mode
        How the loop runs.
    phase, chunk
        The phase that was done last or is at work, and its chunk; empty and -1 before the first.
    """

    def __init__(self, changed: Callable[[], None], held: Callable[[], None]) -> None:
        self._tell, self._held = changed, held
        self._condition = Condition()
        self._grants = 0
        self._nudged = False
        self._closed = False
        self._holding = False
        self.mode: Mode = "run"
        self.phase: Phase = ""
        self.chunk = -1

    @property
    def holding(self) -> bool:
        """Whether the decode stage waits at the gate and nothing lets it through."""
        with self._condition:
            free = self.mode == "run" or self._grants or self._nudged or self._closed
            return self._holding and not free

    def enter(self, phase: Phase, chunk: int) -> Outcome:
        """Wait until the phase may begin.

        Returns
        -------
        str
            `go`; or `nudged`: something else is to be looked at first, ask again; or `closed`.
        """
        while True:
            with self._condition:
                outcome = self._outcome()
                if outcome is not None:
                    self._holding = False
                    told = outcome == "go" and self.mode != "run"
                    if outcome == "go":
                        self.phase, self.chunk = phase, chunk
                    break
                news, self._holding = not self._holding, True
                if not news:
                    self._condition.wait()
            if news:
                # Without the lock: whoever is told may ask whether the stage is holding.
                self._held()
        if told:
            self._tell()
        return outcome

    def _outcome(self) -> Outcome | None:
        """What the stage may do now; None where it has to wait."""
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
        """Choose how the loop runs. False where it runs so already."""
        with self._condition:
            if mode == self.mode:
                return False
            self.mode, self._grants = mode, 0
            if mode == "run":
                # Phases are not told while it runs, so an old one must not stay on display.
                self.phase, self.chunk = "", -1
            self._condition.notify_all()
        self._tell()
        return True

    def grant(self) -> None:
        """Let one more phase happen."""
        with self._condition:
            self._grants = min(self._grants + 1, MOST_GRANTS)
            self._condition.notify_all()

    def nudge(self) -> None:
        """Make a decode stage that waits here look at what else there is."""
        with self._condition:
            self._nudged = True
            self._condition.notify_all()

    def begin_session(self) -> None:
        """The chunk at work belongs to a session that is over."""
        with self._condition:
            self.phase, self.chunk, self._grants = "", -1, 0
        self.nudge()
        self._tell()

    def close(self) -> None:
        """Let nobody wait any longer."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def to_json(self) -> dict[str, Any]:
        """Mode, phase and chunk."""
        with self._condition:
            return {"mode": self.mode, "phase": self.phase, "chunk": self.chunk}
