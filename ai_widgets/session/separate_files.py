"""Hear audio files, each in a session of its own, several side by side in one forward pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..audio.files import LONGEST_S
from ..errors import AiWidgetsError
from ..record.record import SessionRecord
from ..settings import Settings
from .given_audio import file_items
from .listening import ListeningModel
from .loop import Loop
from .together import PLACES, run_each


@dataclass(frozen=True)
class Answered:
    """One file that was heard.

    Attributes
    ----------
    path
        The file.
    record
        Events of its session, without audio; those before an error included.
    ended
        Reason why the session took no more audio before the end of the file, or None.
    error
        Error that ended it, or None.
    """

    path: Path
    record: SessionRecord
    ended: str | None
    error: Exception | None


def answer_separately(
    model: ListeningModel,
    paths: Iterable[Path],
    settings: Settings,
    *,
    floor: str = "clip",
    tail_silence: float = 1.0,
    longest_s: float | None = LONGEST_S,
    places: int = PLACES,
) -> Iterator[Answered]:
    """Hear files, at most `places` of them side by side, and yield each when it has ended.

    A file that cannot be read, or at which the model fails, does not stop the others. At most `places` files are open,
    and no audio is kept, so that memory depends neither on the number nor on the length of the files.

    Parameters
    ----------
    model
        Model or policy.
    paths
        Files; an iterator is read as places become free.
    settings
        Settings of every session.
    floor, tail_silence, longest_s
        As in `StreamingSession.play`.
    places
        Maximum number of sessions in a pass.

    Yields
    ------
    Answered
        In the order in which the files end, which is the same at every run.

    Examples
    --------
    >>> for answered in answer_separately(model, sorted(Path("clips").glob("*.wav")), Settings(greedy=True)):
    ...     print(answered.path, answered.record.text)
    """
    unread: list[Answered] = []
    open_ones: dict[Loop, tuple[Path, SessionRecord]] = {}

    def loops() -> Iterator[Loop]:
        for path in paths:
            record = SessionRecord(audio_seconds=0)
            loop = Loop(model, settings, record)
            try:
                loop.put(file_items(path, floor, tail_silence, longest_s, None))
            except AiWidgetsError as error:
                unread.append(Answered(path, record, None, error))
                continue
            open_ones[loop] = path, record
            yield loop

    try:
        for loop, error in run_each(loops(), places):
            path, record = open_ones.pop(loop)
            ended = loop.state.progress.ended
            # Closes the file, which is still open after an error.
            loop.close()
            loop.turns.release()
            yield from unread
            unread.clear()
            yield Answered(path, record, ended, error)
        yield from unread
    finally:
        for loop in open_ones:
            loop.close()
