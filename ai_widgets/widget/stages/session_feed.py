"""`Feeder`: the input of one session for audio from files and from Python."""

from __future__ import annotations

from collections.abc import Callable

from ...audio.intake import Array
from ...audio.origin import Origin
from .admission import PendingNotice
from .items import EndOfStream, Item, Samples
from .running_session import RunningSession


class Feeder:
    """The input of the session that ran when the feeder was made; after a reset its items are discarded.

    Parameters
    ----------
    running
        State of that session.
    put
        Queues one item for the encode stage; returns at once.
    current
        Returns whether a session is still the current one, that is, was not reset.
    """

    def __init__(
        self, running: RunningSession, put: Callable[[Item], None], current: Callable[[RunningSession], bool]
    ) -> None:
        self._running, self._put, self._current = running, put, current

    @property
    def waiting(self) -> int:
        """Chunks that have arrived in this session and are neither decided nor dropped."""
        return self._running.waiting

    @property
    def over(self) -> bool:
        """Whether the session takes no more audio, since it was reset or its model failed."""
        return self._running.failure is not None or not self._current(self._running)

    def push(self, samples: Array, rate: int) -> None:
        """Queue mono float32 audio at its native rate."""
        origin = Origin()
        self._running.arrive(len(samples) / rate, origin)
        self._put((self._running, Samples(samples, rate, (), origin)))

    def note(self, kind: str, message: str, **data: object) -> None:
        """Queue a notice, recorded at its place in the audio."""
        self._put((self._running, PendingNotice(kind, message, data)))

    def end(self, tail_s: float) -> None:
        """End the recording: the rest is padded to a chunk and `tail_s` seconds of silence follow."""
        self._running.end_recording(tail_s)
        self._put((self._running, EndOfStream(tail_s)))
