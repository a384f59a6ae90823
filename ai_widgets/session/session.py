"""`StreamingSession`: perceive, decide, respond — once a chunk, for as long as audio comes.

    prefix                    ONLINE ENGLISH SYSTEM TEXT_BEGIN <system prompt> TEXT_END
    each chunk                AUDIO_BEGIN <ten frames> ASSISTANT -> KEEP_SILENCE
                                                              or -> TEXT_BEGIN [EMOTION] text … TEXT_END

`feed.Feed` perceives: audio → chunks → frames. `turns.TurnTaking` decides and responds. `loop.Loop` keeps the order and
the record, step by step; the session is its interface for callers. Nothing here knows threads or widgets. Facts:
docs/protocol.md §3, paper §3.
"""

from __future__ import annotations

from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Any, BinaryIO

import numpy.typing as npt

from ..audio.clip_features import Progress
from ..audio.files import LONGEST_S
from ..errors import ReadOnlyError, SessionError
from ..protocol import Event
from ..record.record import SessionRecord
from ..record.transcript import summary, transcript_html
from ..settings import Settings
from .event_stream import EventStream
from .feed import End, Given, Item
from .given_audio import block, checked_tail, clip_items, file_items
from .listening import ListeningModel
from .loop import Loop, short
from .perceive import Heard


class StreamingSession:
    """One conversation with a model: audio in, events out.

    `push`, `finish`, `push_clip`, `play` do the work and return its events; `stream` and `stream_clip` give them as
    they happen. Every call first finishes what an earlier one has left. A `with` block finishes and closes it.

    Parameters
    ----------
    model
        Model or policy, shared and immutable.
    settings
        See `Settings`.
    record
        Where events and audio go; a new record by default.

    Examples
    --------
    >>> with model.session(seed=0) as session:
    ...     for event in session.stream(samples, rate=48_000):
    ...         print(event)
    ...     session.finish(tail_silence=1.0)
    >>> session.record.text
    """

    def __init__(
        self, model: ListeningModel, settings: Settings | None = None, record: SessionRecord | None = None
    ) -> None:
        self.model = model
        # Settings may be changed on another thread than the one that feeds; each step holds it.
        self._lock = RLock()
        self._record = record if record is not None else SessionRecord()
        self._loop = Loop(model, settings or Settings(), self._record)
        self._stream: EventStream | None = None
        self._closed = False

    @property
    def record(self) -> SessionRecord:
        """Events and audio so far. Plain data: reading it runs nothing."""
        return self._record

    @property
    def settings(self) -> Settings:
        """The settings, read-only; `change` sets them."""
        return self._loop.settings

    @property
    def ended(self) -> str | None:
        """Why the session takes no more audio, or None while it does."""
        return self._loop.state.talk.ended

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def chunks_done(self) -> int:
        """Chunks that have been decided or are being decided; the index of the next one."""
        return self._loop.state.taken.chunks

    @property
    def position(self) -> int:
        """Positions of the context in use."""
        return self._loop.state.talk.positions

    @property
    def context_limit(self) -> int:
        """Positions the context may hold."""
        return self._loop.state.talk.limit

    @property
    def prefix(self) -> tuple[int, ...]:
        """Tokens that the context begins with: those that were fed, or will be where it is bare."""
        return self._loop.state.talk.prefix or self.model.framing(self.settings).prefix

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

    def change(self, **settings: Any) -> Settings:
        """Change settings while the session runs; they apply from the next chunk on, which brings a notice.

        With another system prompt, which stands at the context's very beginning, the context starts over. Safe to call
        from another thread.

        Parameters
        ----------
        **settings
            Fields of `Settings`.

        Returns
        -------
        Settings
            All settings, the changed ones included.

        Raises
        ------
        SettingError
            Nothing is changed then.
        """
        with self._lock:
            self._check_open()
            chosen = self.settings.changed(**settings)
            self.model.framing(chosen)
            self._finish_pending()
            self._loop.settings = chosen
        return chosen

    def interrupt(self) -> None:
        """End the running reply after the token at work. Without a running reply nothing happens. Safe to call from
        another thread: it only sets a flag.
        """
        self._loop.turns.interrupt()

    def close(self) -> None:
        """Take no more audio and free the context's memory. The record stays.

        Nothing runs any more: a reply that is still being spoken ends as interrupted, and audio that was given and is
        not decided is dropped, which a notice tells.
        """
        with self._lock:
            if self._closed:
                return
            self._loop.close()
            self._end_stream()
            self._closed = True
            self._loop.turns.release()

    def __enter__(self) -> StreamingSession:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if error is None and not self._closed:
                with self._lock:
                    self._finish_pending()
        finally:
            self.close()

    def __repr__(self) -> str:
        return f"<StreamingSession of {self.model.name}: {summary(self._record)}, {self._standing()}>"

    def _repr_html_(self) -> str:
        return transcript_html(self._record, f"Streaming session of {self.model.name}", {"state": self._standing()})

    def _standing(self) -> str:
        """What it is doing, in a word or a sentence."""
        return "closed" if self._closed else self.ended or "open"

    def __setattr__(self, name: str, value: object) -> None:
        if name in _SETTING_NAMES:
            raise ReadOnlyError(f"A session's settings are not assigned: write session.change({name}={short(value)}).")
        if not name.startswith("_") and name != "model":
            raise ReadOnlyError(
                f"A session has no attribute {name!r} that may be assigned; settings are changed with "
                "session.change(bias=0.5)."
            )
        object.__setattr__(self, name, value)

    def _check_open(self) -> None:
        if self._closed:
            raise SessionError("This session is closed; open another one with model.session().")

    def _begin(self, *items: Item) -> EventStream:
        """Take new items, and finish what was pending before them.

        In this order, so that they are pending too, and not lost, where the model fails at what was pending.
        """
        with self._lock:
            self._check_open()
            first = self._loop.put(items)
            while self._loop.busy_before(first):
                self._loop.advance()
            self._end_stream()
            self._stream = stream = EventStream(self._next_event, len(self._record))
        return stream

    def _next_event(self, stream: EventStream) -> Event | None:
        """The next event of a stream, or None at its end."""
        with self._lock:
            while stream.end is None and stream.next >= len(self._record):
                if not self._loop.advance():
                    self._end_stream()
            if stream.end is not None and stream.next >= stream.end:
                return None
            (event,) = self._record.since(stream.next, 1)
            stream.next += 1
            return event

    def _finish_pending(self) -> None:
        while self._loop.advance():
            pass
        self._end_stream()

    def _end_stream(self) -> None:
        """All that the running stream is about has happened."""
        if self._stream is not None:
            self._stream.end = len(self._record)
            self._stream = None


_SETTING_NAMES = frozenset(Settings.names())
