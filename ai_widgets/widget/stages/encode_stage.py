"""The work of the encode stage: cut audio into chunks, and perceive each chunk for the decode stage."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING

from ...audio.intake import ChunkAudio, silence
from .admission import Remark
from .items import FROM_PYTHON, BlockOf, Decodable, EndOfStream, Samples
from .live_session import Run

if TYPE_CHECKING:
    from ...session.listening import ListeningModel


class Perceiving:
    """The step from samples to heard chunks.

    Parameters
    ----------
    model
        Returns the model; waits until it is loaded.
    current
        Returns whether a run is still the current run, that is, was not reset.
    put
        Queues an item for the decode stage; blocks while the queue is full.
    """

    def __init__(
        self,
        model: Callable[[], ListeningModel],
        current: Callable[[Run], bool],
        put: Callable[[Decodable], object],
    ) -> None:
        self._model, self._current, self._put = model, current, put

    def perceive(self, run: Run, part: Samples | EndOfStream | Remark) -> None:
        """Perceive the chunks that a part completes; pass a remark on in its place among the chunks."""
        if isinstance(part, Remark):
            self._put((run, part))
            return
        if run.listener is None:
            from ...session.perceive import Listener

            run.listener = Listener(self._model())
        if isinstance(part, Samples):
            self._hear(run, run.intake.push(part.samples, part.rate, part.flags), part.arrived, part.block)
        else:
            self._hear(run, run.intake.finish() + silence(part.tail_s), perf_counter(), FROM_PYTHON)
            run.clip += 1

    def _hear(self, run: Run, chunks: list[ChunkAudio], arrived: float, block: BlockOf) -> None:
        for chunk in chunks:
            if not self._current(run) or run.listener is None:
                return
            heard = run.listener.hear(
                chunk, run.clip, arrived, stream=block.stream, seq=block.seq, live=block.mic, age_s=block.age_s
            )
            self._put((run, heard))
