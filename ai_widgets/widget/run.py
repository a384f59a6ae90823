"""One session as the worker runs it: record, intake, what has come in, what waits, and what was left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from math import ceil
from threading import Lock
from typing import TYPE_CHECKING, Any

from ..audio import Intake
from ..protocol import CHUNK_SECONDS, Notice
from ..record import SessionRecord
from .admission import Admission, Remark, dropped

if TYPE_CHECKING:
    from ..perceive import Listener
    from ..session import StreamingSession

PROGRESS = 1e-6
"""Chunks by which a resampled length may miss a whole number."""


class Run:
    """What a reset replaces as a whole.

    Attributes
    ----------
    listener, session
        Made by the stage that uses them, once the model is there; None before, and after a failure.
    decided
        Chunks that have been decided or are being decided.
    failure
        What ended the session, or None.
    deaf
        Whether perceiving failed: no audio goes on from there.
    pending
        What the decode stage is to do before its next chunk: changes of settings, notices.
    interrupted
        Whether the reply at work was ended by arriving audio.
    """

    def __init__(self, record: SessionRecord) -> None:
        self.record = record
        self.intake = Intake()
        self.listener: Listener | None = None
        self.session: StreamingSession | None = None
        self.admission = Admission()
        self.clip = 0
        self.decided = 0
        self.failure: Exception | None = None
        self.deaf = False
        self.pending: deque[Mapping[str, Any] | Remark] = deque()
        self.interrupted = False
        self._lock = Lock()
        # What has come in, in chunks: whole recordings rounded up, the open one exact.
        self._finished_chunks = 0
        self._open_seconds = 0.0
        self._skipped = 0
        self._gap = 0

    def arrive(self, seconds: float) -> None:
        """Audio of the open recording was put in."""
        with self._lock:
            self._open_seconds += seconds

    def end_recording(self, tail_s: float) -> None:
        """The open recording ends, and so much silence follows."""
        with self._lock:
            # A whisker less, since a resampled length may round down to just a chunk's end.
            self._finished_chunks += ceil(self._open_seconds / CHUNK_SECONDS - 1e-4) + ceil(
                tail_s / CHUNK_SECONDS - 1e-9
            )
            self._open_seconds = 0.0

    @property
    def waiting(self) -> int:
        """Chunks that have arrived and are neither decided nor left out."""
        if self.failure is not None:
            return 0
        with self._lock:
            arrived = self._finished_chunks + int(self._open_seconds / CHUNK_SECONDS + PROGRESS)
            return max(0, arrived - self.decided - self._skipped)

    def skip(self) -> None:
        """Leave out the oldest waiting chunk."""
        with self._lock:
            self._skipped += 1
            self._gap += 1

    def end_skipping(self) -> Remark | None:
        """What is to be noted of the chunks left out since the last chunk that was decided."""
        with self._lock:
            gap, self._gap = self._gap, 0
        return dropped(gap * CHUNK_SECONDS, "overload") if gap else None

    @property
    def dropped_s(self) -> float:
        """Seconds of audio left out so far, on arrival or later."""
        return self.admission.dropped_s + self._skipped * CHUNK_SECONDS

    def note(self, remark: Remark) -> None:
        """Record a notice here and now."""
        self.record.append(Notice(self.decided, remark.kind, remark.message, remark.data))

    def counters(self) -> dict[str, Any]:
        """Figures of the synced trait `counters`."""
        waiting, lost = self.waiting, self.dropped_s
        return {
            "waiting": waiting,
            "lag_s": round(waiting * CHUNK_SECONDS, 1),
            "dropped_chunks": int(lost / CHUNK_SECONDS + PROGRESS),
            "dropped_s": round(lost, 3),
            "let_go_s": round(self.record.audio_start_s, 1),
        }

    def release(self) -> None:
        """Let go of what holds the model's memory; the record stays."""
        self.session, self.listener = None, None
