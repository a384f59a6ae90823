"""`FileStream`: one audio file that is fed into a session piece by piece.

A stream ends exactly once: at the end of the file, when a user stops it, when its page closes, or at an error. After
that no more of its audio enters the session, so that it is never mixed with the audio that follows.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any

from ...audio.intake import Array
from ...protocol import CHUNK_SECONDS
from ..stages.session_feed import Feeder
from ..wire.limits import FileState, Pace
from .page_file import PageFile
from .progress import Progress

if TYPE_CHECKING:
    from ...audio.reader import AudioReader


class FileStream:
    """One audio file, from its announcement to its end.

    Parameters
    ----------
    name
        Name shown to users.
    open_
        Opens the reader; called on the reading thread.
    feeder
        Queues audio for the session.
    tail_s
        Seconds of silence after the file, so that the model can reply to the last sound.
    pace
        See `limits.Pace`.
    page
        Page that holds the file; empty where the kernel reads from disk.
    source
        File object that reads from that page, or None.

    Attributes
    ----------
    reason
        Why the stream ended (`ended`, `stopped`, `view_removed`, `reset`, `error`); empty before the end.
    error
        Error that ended reading early, or None.
    answered
        Whether all chunks of the file are decided.
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
        self.paused = False
        self.reason = ""
        self.error: Exception | None = None
        self.answered = False
        self._begun = False
        self._lock = Lock()

    @property
    def read_s(self) -> float:
        """Seconds of audio that were put into the session."""
        return self._read / self._rate

    @property
    def over(self) -> bool:
        """Whether no more audio of the file enters the session."""
        return bool(self.reason) or self.feeder.over

    @property
    def state(self) -> FileState:
        """State shown on the page."""
        if self.reason in ("", "ended"):
            if self.answered:
                return "ended"
            if self.paused:
                return "paused"
            return "playing" if self._begun else "opening"
        return "failed" if self.reason == "error" else "stopped"

    def begin(self, rate: int, seconds: float | None) -> None:
        """Record a notice that the file begins."""
        with self._lock:
            if self.over:
                return
            self._begun = True
            self.progress.seconds = seconds
            self.feeder.note(
                "stream",
                f"Audio of the file {self.name} at {rate} Hz begins.",
                source="file",
                name=self.name,
                rate=rate,
                seconds=seconds,
            )

    def push(self, samples: Array, rate: int) -> bool:
        """Put one piece into the session. Return False, without taking the piece, where the stream has ended."""
        with self._lock:
            if self.over:
                return False
            self.feeder.push(samples, rate)
            self._read, self._rate = self._read + len(samples), rate
            return True

    def note(self, kind: str, message: str, **data: object) -> None:
        """Record a notice on the file at its place in the audio."""
        with self._lock:
            if not self.over:
                self.feeder.note(kind, message, **data)

    def end(self, reason: str, error: Exception | None = None) -> bool:
        """End the stream; audio read so far is still decided. Return False where the stream had ended before."""
        with self._lock:
            if self.reason:
                return False
            self.reason, self.error = reason, error
            if self._begun and not self.feeder.over:
                if reason != "ended":
                    self.feeder.note(
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
        """Update the position: seconds of the file that are decided."""
        tail_s = self.tail_s if self.reason else 0.0
        heard_s = self.read_s + tail_s - self.feeder.waiting * CHUNK_SECONDS
        if not self.feeder.over:
            self.progress.look(monotonic(), self.read_s if self.answered else min(self.read_s, max(0.0, heard_s)))

    def to_json(self) -> dict[str, Any]:
        """Return name, state, position, speed and time left, as sent to pages."""
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
    """The error that unblocks a reader of a stream that has ended."""


def clock(seconds: float) -> str:
    """Format seconds as `m:ss` or `h:mm:ss`."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
