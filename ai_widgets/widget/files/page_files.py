"""Play what pages ask for: files that they hold, of which they send ranges, and clips of the package by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

from ...audio.clips import clips
from ...audio.files import open_audio
from ...audio.reader import AudioReader
from ...errors import AudioError
from ..stages.session_feed import Feeder
from ..wire.clip_message import PlayClip
from ..wire.messages import Bytes, Play
from .file_player import FilePlayer
from .file_stream import FileStream
from .page_file import PageFile

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

Ask = Callable[[int, int, int, str], None]
"""Callback (stream, offset, length, page) that requests a range of a file from its page."""


class PageFiles:
    """The files of pages: opened when announced, and filled by the pages' answers.

    Parameters
    ----------
    player
        Plays the files.
    feeder
        Returns a feeder of the running session.
    ask
        Requests bytes from a page; called on the reading thread.
    """

    def __init__(self, player: FilePlayer, feeder: Callable[[], Feeder], ask: Ask) -> None:
        self._player, self._feeder, self._ask = player, feeder, ask
        self._number = 0
        self._file: PageFile | None = None

    def play(self, message: Play | PlayClip) -> None:
        """Play the file that a page announces, or a clip. The caller has checked that no other file plays."""
        if isinstance(message, PlayClip):
            clip = clips[message.clip]
            open_clip = partial(open_audio, clip)
            self._player.play(FileStream(str(clip), open_clip, self._feeder(), message.tail_s, message.pace))
            return
        name = message.name or "the file"
        file = PageFile(name, message.size, lambda at, length: self._ask(message.stream, at, length, message.page))
        self._number, self._file = message.stream, file
        read = partial(_open, file)
        stream = FileStream(name, read, self._feeder(), message.tail_s, message.pace, message.page, file)
        self._player.play(stream)

    def take(self, message: Bytes) -> None:
        """Receive a page's answer. An answer for a file that has ended is discarded."""
        stream = self._player.of_page(message.page)
        if self._file is None or stream is None or stream.source is not self._file or message.stream != self._number:
            return
        if message.problem:
            name = self._file.file_name
            sentence = f"The browser can no longer read {name} ({message.problem}): it was moved, changed or deleted."
            self._file.fail(AudioError(f"{sentence} Choose the file again."))
        else:
            self._file.take(message.offset, message.data)


def _open(file: PageFile) -> AbstractContextManager[AudioReader]:
    # Streaming needs constant memory, so the length is not limited.
    return open_audio(cast(BinaryIO, file), name=file.file_name, longest_s=None)
