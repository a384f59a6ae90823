"""The work of the encode stage: cut audio into chunks, and perceive each chunk for the decode stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...audio.intake import silence
from ...model.shared_passes import shared
from .admission import PendingNotice
from .items import Decodable, EndOfStream, Samples
from .running_session import RunningSession

if TYPE_CHECKING:
    from ...session.listening import ListeningModel


class ChunkEncoder:
    """The step from samples to heard chunks.

    Parameters
    ----------
    model
        Returns the model; waits until it is loaded.
    current
        Returns whether a session is still the current one, that is, was not reset.
    put
        Queues an item for the decode stage; blocks while the queue is full.
    """

    def __init__(
        self,
        model: Callable[[], ListeningModel],
        current: Callable[[RunningSession], bool],
        put: Callable[[Decodable], object],
    ) -> None:
        self._model, self._current, self._put = model, current, put

    def encode(self, running: RunningSession, part: Samples | EndOfStream | PendingNotice) -> None:
        """Perceive the chunks that a part completes; pass a notice on in its place among the chunks."""
        if isinstance(part, PendingNotice):
            self._put((running, part))
            return
        if running.listener is None:
            from ...session.perceive import Listener

            running.listener = Listener(self._model())
        if isinstance(part, Samples):
            running.record.append_raw(part.samples, part.rate, running.clip)
            chunks = running.intake.push(part.samples, part.rate, part.flags, part.origin)
        else:
            chunks = running.intake.finish() + silence(part.tail_s)
        for chunk in chunks:
            if not self._current(running) or running.listener is None:
                return
            self._put((running, running.listener.hear(chunk, running.clip, shared)))
        if isinstance(part, EndOfStream):
            running.clip += 1
