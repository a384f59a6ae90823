"""Methods of a session that take audio: live blocks, whole clips, files, and chunks that were perceived elsewhere."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
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
        """Queue items, finish the items that were pending before them, and return the stream of their events."""

    @abstractmethod
    def _check_open(self) -> None:
        """Raise a `SessionError` if the session is closed."""

    @abstractmethod
    def _put(self, *items: Item) -> None:
        """Queue items without deciding any."""

    def put(self, samples: npt.ArrayLike, rate: int | None = None) -> None:
        """Queue the next audio of a stream without deciding it, for a driver that calls `Ensemble.advance`.

        Parameters and exceptions as in `push`.

        Examples
        --------
        >>> session.put(block, rate=48_000)
        >>> while any(outcome is True for outcome in Ensemble.advance([session, other])): ...
        """
        self._put(block(samples, rate))

    def put_end(self, tail_silence: float = 0.0) -> None:
        """Queue the end of the recording, as `finish` ends it, without deciding what is pending."""
        self._put(End(checked_tail(tail_silence)))

    def push(self, samples: npt.ArrayLike, rate: int | None = None) -> list[Event]:
        """Process the next audio of a stream, of any length, and return its events.

        Samples that do not fill a chunk wait for the next call.

        Parameters
        ----------
        samples
            [n] or with channels, see `audio.mono`.
        rate
            Sample rate in Hz; 16 000 by default. Another rate is resampled as one stream, so that the result does not
            depend on the split into blocks; the rate may change from call to call.

        Raises
        ------
        AudioError
            If the samples are not audio; none of them is heard then.
        SessionError
            If the session is closed.

        Examples
        --------
        >>> for block in blocks:
        ...     events = session.push(block, rate=48_000)
        >>> session.finish(tail_silence=1.0)
        """
        return [*self.stream(samples, rate)]

    def stream(self, samples: npt.ArrayLike, rate: int | None = None) -> EventStream:
        """Process audio of a stream as `push` does, and yield the events as they happen, token by token.

        Returns
        -------
        EventStream
            An iterator. The session's next call finishes steps that were not iterated.

        Raises
        ------
        AudioError, SessionError
            As `push`.
        """
        return self._begin(block(samples, rate))

    def finish(self, tail_silence: float = 0.0) -> list[Event]:
        """End the recording: pad the remaining samples to a chunk, and append `tail_silence` seconds of silence.

        The session stays open; the next audio belongs to a new clip.

        Raises
        ------
        SettingError
            If `tail_silence` is not allowed.
        SessionError
            If the session is closed.
        """
        return [*self._begin(End(checked_tail(tail_silence)))]

    def push_clip(
        self, samples: npt.ArrayLike, rate: int | None = None, *, floor: str = "clip", tail_silence: float = 1.0
    ) -> list[Event]:
        """Process one whole clip, padded to chunks and followed by silence so that the model can reply.

        Parameters
        ----------
        samples, rate
            As in `push`.
        floor
            `clip`: the log-mel floor is that of the whole clip, and clip and tail are encoded on their own, as the
            authors' offline runner does. `running`: the clip continues the stream.
        tail_silence
            Seconds, rounded up to whole chunks; the authors use 1.

        Raises
        ------
        AudioError, SettingError
            If the samples are not audio, or another argument is not allowed; nothing is heard then.
        SessionError
            If the session is closed.
        """
        return [*self.stream_clip(samples, rate, floor=floor, tail_silence=tail_silence)]

    def stream_clip(
        self, samples: npt.ArrayLike, rate: int | None = None, *, floor: str = "clip", tail_silence: float = 1.0
    ) -> EventStream:
        """Process one whole clip as `push_clip` does, and yield the events as they happen."""
        return self._begin(*clip_items(samples, rate, floor, tail_silence))

    def play(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        *,
        floor: str = "running",
        tail_silence: float = 1.0,
        longest_s: float | None = LONGEST_S,
        progress: Progress | None = None,
    ) -> list[Event]:
        """Process an audio file as one recording, and return its events.

        The file is decoded piece by piece while it is heard: memory does not depend on its length. A fault
        of the file (truncated, damaged, channels that cancel) is a notice.

        Parameters
        ----------
        source
            A path, a clip (``"clip:rain"``), or an open binary file that can be searched.
        floor, tail_silence
            As in `push_clip`. With `running` the first chunk is decided at once; with `clip` the whole file is measured
            first.
        longest_s
            Largest decoded length in seconds; None for no limit.
        progress
            Receives the measured seconds, and the total seconds if known.

        Raises
        ------
        AudioError
            If the file cannot be read; nothing is heard then. If it is damaged in the middle, all but the last seconds
            before the damage were heard.
        SessionError
            If the session is closed.

        Examples
        --------
        >>> session.play("talk.m4a")
        >>> print(session.record.text)
        """
        return [
            *self.stream_file(source, floor=floor, tail_silence=tail_silence, longest_s=longest_s, progress=progress)
        ]

    def stream_file(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        *,
        floor: str = "running",
        tail_silence: float = 1.0,
        longest_s: float | None = LONGEST_S,
        progress: Progress | None = None,
    ) -> EventStream:
        """Process an audio file as `play` does, and yield the events as they happen."""
        self._check_open()
        return self._begin(*file_items(source, floor, tail_silence, longest_s, progress))

    def step(self, heard: Heard) -> EventStream:
        """Decide after one chunk that was perceived elsewhere, and respond if so decided; the events as they happen."""
        return self._begin(Given(heard))
