"""Methods of a session that take audio: live blocks, whole clips, files, and chunks that were perceived elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import BinaryIO

import numpy.typing as npt

from ..audio.clip_features import Progress
from ..audio.files import LONGEST_S
from ..protocol import Event
from .event_stream import EventStream
from .feed import End, Given, Item
from .given_audio import block, checked_tail, clip_items, file_items
from .perceive import Heard


class AudioInput(ABC):
    """The part of a session that takes audio."""

    @abstractmethod
    def _begin(self, *items: Item) -> EventStream:
        """Take items, finish what was pending before them, and return the stream of their events."""

    @abstractmethod
    def _check_open(self) -> None:
        """Raise a `SessionError` if the session is closed."""

    def push(self, samples: npt.ArrayLike, rate: int | None = None) -> list[Event]:
        """Hear the next audio of a stream, of any length, and return the events of it.

        Samples that do not fill a chunk wait for the next call.

        Parameters
        ----------
        samples
            [n] or with channels, see `audio.mono`.
        rate
            Samples per second; 16 000 by default. Another rate goes through a streaming resampler, so that any split
            into blocks gives the same; it may change from call to call.

        Raises
        ------
        AudioError
            Not audio; nothing is heard then.
        SessionError
            The session is closed.
        """
        return [*self.stream(samples, rate)]

    def stream(self, samples: npt.ArrayLike, rate: int | None = None) -> EventStream:
        """Hear audio of a stream as `push` does; the events come as they happen, token by token.

        Returns
        -------
        EventStream
            An iterator. What is left of it is finished by the session's next call.
        """
        return self._begin(block(samples, rate))

    def finish(self, tail_silence: float = 0.0) -> list[Event]:
        """End the recording: the waiting rest is padded to a chunk, `tail_silence` seconds of silence follow.

        The session stays open; the next audio belongs to a new clip.
        """
        return [*self._begin(End(checked_tail(tail_silence)))]

    def push_clip(
        self, samples: npt.ArrayLike, rate: int | None = None, *, floor: str = "clip", tail_silence: float = 1.0
    ) -> list[Event]:
        """Hear one whole clip, padded to chunks and followed by silence so that the model can reply.

        Parameters
        ----------
        samples, rate
            As in `push`.
        floor
            `clip`: the log-mel floor is that of the whole clip, and clip and tail are encoded on their own, as the
            authors' offline runner does. `running`: the clip goes on in the stream.
        tail_silence
            Seconds, rounded up to whole chunks; the authors use 1.
        """
        return [*self.stream_clip(samples, rate, floor=floor, tail_silence=tail_silence)]

    def stream_clip(
        self, samples: npt.ArrayLike, rate: int | None = None, *, floor: str = "clip", tail_silence: float = 1.0
    ) -> EventStream:
        """Hear one whole clip as `push_clip` does; the events come as they happen."""
        return self._begin(*clip_items(samples, rate, floor, tail_silence))

    def play(
        self,
        source: str | Path | BinaryIO,
        *,
        floor: str = "running",
        tail_silence: float = 1.0,
        longest_s: float | None = LONGEST_S,
        progress: Progress | None = None,
    ) -> list[Event]:
        """Hear an audio file as one recording, and return the events of it.

        The file is decoded piece by piece while it is heard: memory does not depend on its length. What is wrong with
        it (cut, damaged, channels that cancel) is a notice.

        Parameters
        ----------
        source
            A path, or an open binary file that can be searched.
        floor, tail_silence
            As in `push_clip`. With `running` its first chunk is decided at once; with `clip` the whole file is measured
            before.
        longest_s
            Seconds that it may decode to; None for any length.
        progress
            Gets the seconds that were measured, and all there are as far as that is known.

        Raises
        ------
        AudioError
            It cannot be read; nothing is heard then. Where that turns out in the middle, all but the last seconds of
            what came before were heard.
        """
        return [
            *self.stream_file(source, floor=floor, tail_silence=tail_silence, longest_s=longest_s, progress=progress)
        ]

    def stream_file(
        self,
        source: str | Path | BinaryIO,
        *,
        floor: str = "running",
        tail_silence: float = 1.0,
        longest_s: float | None = LONGEST_S,
        progress: Progress | None = None,
    ) -> EventStream:
        """Hear an audio file as `play` does; the events come as they happen."""
        self._check_open()
        return self._begin(*file_items(source, floor, tail_silence, longest_s, progress))

    def step(self, heard: Heard) -> EventStream:
        """Decide after one chunk that was perceived elsewhere, and respond if so decided; the events as they happen."""
        return self._begin(Given(heard))
