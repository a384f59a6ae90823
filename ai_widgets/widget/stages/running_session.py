"""The state of one running session: record, intake, and the counts of arrived, queued and dropped chunks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from math import ceil
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

from ...audio.intake import Intake
from ...audio.origin import Origin
from ...protocol import CHUNK_SECONDS, Notice
from ...record.record import SessionRecord
from .admission import Admission, PendingNotice, dropped

if TYPE_CHECKING:
    from ...session.perceive import Listener
    from ...session.session import StreamingSession

Task: TypeAlias = "Callable[[StreamingSession | None], None]"
"""Work on the running session between two chunks; it must not raise."""
PROGRESS = 1e-6
"""Tolerance in chunks: a resampled length may miss a whole number of chunks by rounding."""


class RunningSession:
    """The state of one session; a reset replaces the whole object.

    Attributes
    ----------
    listener, session
        Made by the stage that uses them, once the model is loaded; None before, and after a failure.
    decided
        Chunks that are decided, the chunk in progress included.
    failure
        Error that ended the session, or None.
    deaf
        Whether the encode stage failed: later audio is not encoded.
    pending
        Work for the decode stage before its next chunk: changes of settings, notices, tasks.
    interrupted
        Whether the reply in progress was interrupted by arriving audio.
    ended
        Whether the widget was closed: no more chunks are decided.
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
        self.pending: deque[Mapping[str, Any] | PendingNotice | Task] = deque()
        self.interrupted = False
        self.ended = False
        self._lock = Lock()
        # Arrived audio: finished recordings in chunks, rounded up; the open recording in exact seconds.
        self._finished_chunks = 0
        self._open_seconds = 0.0
        # For each microphone block: chunks complete with it, and the capture time of its last sample.
        self._captured: deque[tuple[float, float]] = deque()

    def arrive(self, seconds: float, origin: Origin) -> None:
        """Count audio that was added to the open recording. The lag is measured for microphones only."""
        with self._lock:
            self._open_seconds += seconds
            if origin.microphone:
                captured = origin.arrived - origin.age_s
                self._captured.append((self._finished_chunks + self._open_seconds / CHUNK_SECONDS, captured))

    def end_recording(self, tail_s: float) -> None:
        """Count the end of the open recording, with `tail_s` seconds of silence after it."""
        with self._lock:
            # Minus a tolerance, since resampling may round the length down to exactly a whole number of chunks.
            self._finished_chunks += ceil(self._open_seconds / CHUNK_SECONDS - 1e-4) + ceil(
                tail_s / CHUNK_SECONDS - 1e-9
            )
            self._open_seconds = 0.0

    @property
    def waiting(self) -> int:
        """Chunks that have arrived and are neither decided nor dropped."""
        if self.failure is not None or self.ended:
            return 0
        with self._lock:
            arrived = self._finished_chunks + int(self._open_seconds / CHUNK_SECONDS + PROGRESS)
            return max(0, arrived - self.decided - self.admission.evicted)

    @property
    def lag_s(self) -> float:
        """Seconds since the capture of the oldest queued microphone chunk; 0 where none is queued."""
        waiting = self.waiting
        with self._lock:
            oldest = self.decided + self.admission.evicted + 1
            while self._captured and self._captured[0][0] + PROGRESS < oldest:
                self._captured.popleft()
            return max(0.0, perf_counter() - self._captured[0][1]) if waiting and self._captured else 0.0

    def evict(self) -> None:
        """Drop the oldest queued chunk."""
        with self._lock:
            self.admission.evict()

    def note(self, notice: PendingNotice) -> None:
        """Record a notice at the current chunk."""
        self.record.append(Notice(self.decided, notice.kind, notice.message, notice.data))

    def counters(self) -> dict[str, Any]:
        """Return the values of the synced trait `counters`."""
        waiting, lost = self.waiting, self.admission.dropped_s
        return {
            "waiting": waiting,
            "lag_s": round(self.lag_s, 1),
            "dropped_chunks": int(lost / CHUNK_SECONDS + PROGRESS),
            "dropped_s": round(lost, 3),
            "discarded_s": round(self.record.audio_start_s, 1),
        }

    def release(self) -> None:
        """Release session and listener, which hold the KV cache; the record stays."""
        self.session, self.listener = None, None

    def end(self) -> None:
        """Record a notice of the chunks that will not be decided, once, and release the model."""
        waiting = self.waiting
        if waiting and not self.ended:
            self.note(dropped(waiting * CHUNK_SECONDS, "closed"))
        self.ended = True
        self.release()
