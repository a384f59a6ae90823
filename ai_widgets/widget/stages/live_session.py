"""One session as the worker runs it: record, intake, what has come in, what waits, and what was left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from math import ceil
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ...audio.intake import Intake
from ...protocol import CHUNK_SECONDS, Notice
from ...record.record import SessionRecord
from .admission import Admission, Remark, dropped

if TYPE_CHECKING:
    from ...session.perceive import Listener
    from ...session.session import StreamingSession

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
    ended
        Whether the widget was closed: no chunk will be decided any more.
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
        self.ended = False
        self._lock = Lock()
        # What has come in, in chunks: whole recordings rounded up, the open one exact.
        self._finished_chunks = 0
        self._open_seconds = 0.0
        self._skipped = 0
        self._gap = 0
        # Chunks that are complete with each block of a microphone, and when its last sample was captured.
        self._captured: deque[tuple[float, float]] = deque()

    def arrive(self, seconds: float, captured: float | None = None) -> None:
        """Audio of the open recording was put in.

        `captured` is the clock (`perf_counter`) of its last sample; None for audio that has no time of its own, such as
        a file's.
        """
        with self._lock:
            self._open_seconds += seconds
            if captured is not None:
                self._captured.append((self._finished_chunks + self._open_seconds / CHUNK_SECONDS, captured))

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
        if self.failure is not None or self.ended:
            return 0
        with self._lock:
            arrived = self._finished_chunks + int(self._open_seconds / CHUNK_SECONDS + PROGRESS)
            return max(0, arrived - self.decided - self._skipped)

    @property
    def lag_s(self) -> float:
        """Seconds since the oldest chunk of a microphone that waits was captured; 0 where none waits."""
        waiting = self.waiting
        with self._lock:
            oldest = self.decided + self._skipped + 1
            while self._captured and self._captured[0][0] + PROGRESS < oldest:
                self._captured.popleft()
            return max(0.0, perf_counter() - self._captured[0][1]) if waiting and self._captured else 0.0

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
            "lag_s": round(self.lag_s, 1),
            "dropped_chunks": int(lost / CHUNK_SECONDS + PROGRESS),
            "dropped_s": round(lost, 3),
            "let_go_s": round(self.record.audio_start_s, 1),
        }

    def release(self) -> None:
        """Drop session and listener, which hold the model's memory; the record stays."""
        self.session, self.listener = None, None

    def end(self) -> None:
        """Note the chunks that will not be answered, once, and release the model."""
        waiting = self.waiting
        if waiting and not self.ended:
            self.note(dropped(waiting * CHUNK_SECONDS, "closed"))
        self.ended = True
        self.release()
