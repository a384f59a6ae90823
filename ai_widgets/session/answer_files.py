"""Play files to a session, one after the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..audio.clip_features import Progress
from ..audio.files import LONGEST_S
from ..audio.folders import check_files, expand_paths
from ..protocol import Event
from .session import StreamingSession


def answer_files(
    session: StreamingSession,
    paths: Iterable[str | os.PathLike[str]],
    *,
    floor: str = "clip",
    tail_silence: float = 1.0,
    longest_s: float | None = LONGEST_S,
    begin: Callable[[Path], None] | None = None,
    progress: Progress | None = None,
) -> Iterator[Event]:
    """Play files to a session one after the other and yield the events; see `StreamingSession.play`.

    Every file is opened once before the first file is played, so that an unreadable file is reported before any
    computation. Files are decoded in pieces; memory does not depend on their length.

    Parameters
    ----------
    session
        Session that receives the audio.
    paths
        Files and folders; see `expand_paths`.
    floor, tail_silence, longest_s
        As in `StreamingSession.play`.
    begin
        Called with each file before its first event.
    progress
        Receives the seconds measured for the floor of a whole clip, and the total seconds if known.

    Yields
    ------
    Event
        Each event as soon as it is known.

    Raises
    ------
    AudioError
        If a file cannot be read.
    """
    files = expand_paths(paths)
    check_files(files, longest_s)
    for path in files:
        if begin is not None:
            begin(path)
        yield from session.stream_file(
            path, floor=floor, tail_silence=tail_silence, longest_s=longest_s, progress=progress
        )
