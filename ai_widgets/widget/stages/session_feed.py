"""`Feeder`: the input of one session for audio from files and from Python."""

from __future__ import annotations

from collections.abc import Callable

from ...audio.intake import Array
from ...audio.origin import Origin
from .admission import Remark
from .items import EndOfStream, Item, Samples
from .live_session import Run


class Feeder:
    """The input of the session that ran when the feeder was made; after a reset its items are discarded.

    Parameters
    ----------
    run
        State of that session.
    put
        Queues one item for the encode stage; returns at once.
    current
        Returns whether a run is still the current run, that is, was not reset.
    """

    def __init__(self, run: Run, put: Callable[[Item], None], current: Callable[[Run], bool]) -> None:
        self._run, self._put, self._current = run, put, current

    @property
    def waiting(self) -> int:
        """Chunks that have arrived in this session and are neither decided nor dropped."""
        return self._run.waiting

    @property
    def over(self) -> bool:
        """Whether the session takes no more audio, since it was reset or its model failed."""
        return self._run.failure is not None or not self._current(self._run)

    def push(self, samples: Array, rate: int) -> None:
        """Queue mono float32 audio at its native rate."""
        self._run.arrive(len(samples) / rate)
        self._put((self._run, Samples(samples, rate, (), Origin())))

    def remark(self, kind: str, message: str, **data: object) -> None:
        """Queue a notice, recorded at its place in the audio."""
        self._put((self._run, Remark(kind, message, data)))

    def end(self, tail_s: float) -> None:
        """End the recording: the rest is padded to a chunk and `tail_s` seconds of silence follow."""
        self._run.end_recording(tail_s)
        self._put((self._run, EndOfStream(tail_s)))
