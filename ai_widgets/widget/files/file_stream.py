"""`FileStream`: one audio file on its way into a session, in pieces that are asked for one by one.

It ends exactly once, whoever ends it: the file's end, a person, the page that goes, a fault. From then on nothing of it
gets into the session, so that the audio that follows is never mixed with it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

from ...audio.intake import Array
from ...protocol import CHUNK_SECONDS
from ..stages.session_feed import Feeder
from ..wire.messages import Pace
from .page_file import PageFile
from .progress import Progress

if TYPE_CHECKING:
    from ...audio.reader import AudioReader

State = Literal["opening", "playing", "held", "ended", "stopped", "failed"]


class FileStream:
    """One file, from its announcement to its end.

    Parameters
    ----------
    name
        What people call it.
    open_
        Gives the reader; called on the thread that reads.
    feeder
        The way into the session.
    tail_s
        Seconds of silence that follow, so that the model can reply to what it heard last.
    pace
        See `messages.PACES`.
    page
        The page that holds the file, empty where the kernel reads it from disk.
    source
        The file of that page.

    Attributes
    ----------
    reason
        Why it ended (`ended`, `stopped`, `view_removed`, `reset`, `error`); empty before.
    error
        What kept it from being read to its end, or None.
    answered
        Whether everything of it is decided.
    """

    def __init__(
        self,
        name: str,
        open_: Callable[[], AbstractContextManager[AudioReader]],
        feeder: Feeder,
        tail_s: float,
        pace: Pace = "fast",
        page: str = "",
        source: PageFile | None = None,
    ) -> None:
        self.name, self.open, self.feeder, self.tail_s, self.pace = name, open_, feeder, tail_s, pace
        self.page, self.source = page, source
        self.progress = Progress()
        self._read, self._rate = 0, 1
        self.held = False
        self.reason = ""
        self.error: Exception | None = None
        self.answered = False
        self._begun = False
        self._lock = Lock()

    @property
    def read_s(self) -> float:
        """Seconds that were put into the session."""
        return self._read / self._rate

    @property
    def over(self) -> bool:
        """Whether nothing more of it goes into the session."""
        return bool(self.reason) or self.feeder.over

    @property
    def state(self) -> State:
        """What is shown of it."""
        if self.reason in ("", "ended"):
            if self.answered:
                return "ended"
            if self.held:
                return "held"
            return "playing" if self._begun else "opening"
        return "failed" if self.reason == "error" else "stopped"

    def begin(self, rate: int, seconds: float | None) -> None:
        """Note on the timeline that the file begins."""
        with self._lock:
            if self.over:
                return
            self._begun = True
            self.progress.seconds = seconds
            self.feeder.remark(
                "stream",
                f"Audio of the file {self.name} at {rate} Hz begins.",
                source="file",
                name=self.name,
                rate=rate,
                seconds=seconds,
            )

    def push(self, samples: Array, rate: int) -> bool:
        """Put one piece into the session. False where the file has ended: then the piece was not taken."""
        with self._lock:
            if self.over:
                return False
            self.feeder.push(samples, rate)
            self._read, self._rate = self._read + len(samples), rate
            return True

    def remark(self, kind: str, message: str, **data: object) -> None:
        """Note something about the file in its place among the audio."""
        with self._lock:
            if not self.over:
                self.feeder.remark(kind, message, **data)

    def end(self, reason: str, error: Exception | None = None) -> bool:
        """End the file; what was read of it is answered. False where it had ended before."""
        with self._lock:
            if self.reason:
                return False
            self.reason, self.error = reason, error
            if self._begun and not self.feeder.over:
                if reason != "ended":
                    self.feeder.remark(
                        "stream_ended",
                        self._ending(),
                        reason=reason,
                        name=self.name,
                        position_s=round(self.read_s, 3),
                        seconds=self.progress.seconds,
                    )
                self.feeder.end(self.tail_s)
        if self.source is not None and reason != "ended":
            self.source.fail(error or FileEndedError(f"{self.name} was ended ({reason})."))
        return True

    def look(self) -> None:
        """Take down how much of it is decided by now."""
        tail_s = self.tail_s if self.reason else 0.0
        heard_s = self.read_s + tail_s - self.feeder.waiting * CHUNK_SECONDS
        if not self.feeder.over:
            self.progress.look(monotonic(), self.read_s if self.answered else min(self.read_s, max(0.0, heard_s)))

    def to_json(self) -> dict[str, Any]:
        """Name, state, position and what follows from it, as pages are told."""
        progress = self.progress
        return {
            "name": self.name,
            "page": self.page,
            "state": self.state,
            "pace": self.pace,
            "position_s": round(progress.position_s, 1),
            "seconds": _rounded(progress.seconds),
            "speed": _rounded(progress.speed),
            "left_s": _rounded(progress.left_s),
        }

    def _ending(self) -> str:
        length = "" if self.progress.seconds is None else f" of {clock(self.progress.seconds)}"
        where = f"{self.name} ended at {clock(self.read_s)}{length}"
        if self.error is not None:
            return f"{where}: {self.error}"
        return f"{where} ({self.reason})."


class FileEndedError(Exception):
    """Ends the reading of a file that is over already."""


def clock(seconds: float) -> str:
    """Seconds as `m:ss` or `h:mm:ss`."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
