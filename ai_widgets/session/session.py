"""`StreamingSession`: perceive, decide, respond — once a chunk, for as long as audio comes.

    prefix                    ONLINE ENGLISH SYSTEM TEXT_BEGIN <system prompt> TEXT_END
    each chunk                AUDIO_BEGIN <ten frames> ASSISTANT -> KEEP_SILENCE
                                                              or -> TEXT_BEGIN [EMOTION] text … TEXT_END

`feed.Feed` perceives: audio → chunks → frames. `turns.TurnTaking` decides and responds. `loop.Loop` keeps the order and
the record, step by step; the session is its interface for callers. Nothing here knows threads or widgets. Facts:
docs/protocol.md §3, paper §3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..errors import ReadOnlyError, SessionError
from ..model.passes import Steps, alone
from ..protocol import Event
from ..record.record import SessionRecord
from ..record.transcript import summary, transcript_html
from ..settings import Settings
from .audio_input import AudioInput
from .event_stream import EventStream
from .feed import Item
from .listening import ListeningModel
from .loop import Loop
from .loop_notices import short
from .script import SETTING_NAMES

if TYPE_CHECKING:
    from .fork import Forced, Past, Replaced


class StreamingSession(AudioInput):
    """One conversation with a model: audio in, events out.

    `push`, `finish`, `push_clip`, `play` process audio and return its events; `stream` and `stream_clip` yield them as
    they happen. Every call first finishes what an earlier one has left. A `with` block finishes and closes it.

    Parameters
    ----------
    model
        Model or policy, shared and immutable.
    settings, record
        See `Settings`; record of events and audio, a new one by default.
    run
        Runs the steps: `passes.alone`, or `shared_passes.shared`, which shares passes with other threads.

    Examples
    --------
    >>> with model.session(seed=0) as session:
    ...     for event in session.stream(samples, rate=48_000):
    ...         print(event)
    ...     session.finish(tail_silence=1.0)
    >>> session.record.text
    """

    def __init__(
        self,
        model: ListeningModel,
        settings: Settings | None = None,
        record: SessionRecord | None = None,
        run: Callable[[Steps[bool]], bool] = alone,
    ) -> None:
        self.model = model
        # Held by each step, because another thread than the one that feeds may change settings.
        self._lock = RLock()
        self._record = record if record is not None else SessionRecord()
        self._loop = Loop(model, settings or Settings(), self._record)
        self._loop.run = run
        self._stream: EventStream | None = None
        self._closed = False

    @classmethod
    def around(cls, model: ListeningModel, loop: Loop, record: SessionRecord) -> StreamingSession:
        """Return the session of a loop that is already at some chunk."""
        session = cls.__new__(cls)
        session.model, session._lock = model, RLock()
        session._record, session._loop = record, loop
        session._stream, session._closed = None, False
        return session

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
        return self._loop.state.progress.ended

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
        return self._loop.state.progress.positions

    @property
    def context_limit(self) -> int:
        """Positions the context may hold."""
        return self._loop.state.progress.limit

    @property
    def prefix(self) -> tuple[int, ...]:
        """Tokens at the start of the context: those that were fed or, if the context is empty, that will be fed."""
        return self._loop.state.progress.prefix or self.model.framing(self.settings).prefix

    def change(self, **settings: Any) -> Settings:
        """Change settings while the session runs; they apply from the next chunk on, which brings a notice.

        Another system prompt, which is part of the prefix, starts the context over. Safe to call from another thread.

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
            If a value is not allowed; no setting is changed then.
        SessionError
            If the session is closed.

        Examples
        --------
        >>> session.change(bias=0.5, temperature=0.7)
        """
        with self._lock:
            self._check_open()
            self.settings.changed(**settings)
            self._finish_pending()
            return self.put_change(**settings)

    def put_change(self, **settings: Any) -> Settings:
        """Change settings as `change` does, but without deciding what is pending: they apply to its next chunk."""
        with self._lock:
            self._check_open()
            chosen = self.settings.changed(**settings)
            self.model.framing(chosen)
            self._loop.settings = chosen
        return chosen

    def fork(
        self,
        chunk: int,
        *,
        force: Forced | Mapping[int, Forced] | None = None,
        audio: Replaced | None = None,
        **changed: Any,
    ) -> StreamingSession:
        """Return a session that shares the past up to a chunk and decides from there on, with something changed.

        The audio of this session from there on is pending in the fork: `run_on` decides it again, as does the fork's
        next call; new audio follows it. External actions are repeated: changes of settings that are not among
        `changed`, and interrupts, after the same number of tokens. Random numbers continue as in this session, which is
        not changed and may continue, too. A closed session can be forked.

        Parameters
        ----------
        chunk
            Index of the first chunk that is decided again; the number of chunks so far for none.
        force
            Decision at `chunk`, or decisions by chunk: TEXT_BEGIN or KEEP_SILENCE. The event says `forced` in its rule;
            its probabilities are the model's.
        audio
            Other audio by chunk: at most 6400 samples at 16 kHz, the index of another chunk, or None for silence.
        **changed
            Fields of `Settings`, from `chunk` on. Another system prompt replays the session from its start.

        Returns
        -------
        StreamingSession
            Its record begins with the shared events, followed by the notice `fork`. Cost: `session.fork`.

        Raises
        ------
        SessionError
            If there is no such chunk, or its state or its audio is no longer kept.
        SettingError, AudioError
            If a setting, `force` or `audio` is not allowed.

        Examples
        --------
        >>> fork = session.fork(chunk=12, bias=0.5)
        >>> fork.run_on()
        >>> session.fork(12, force="TEXT_BEGIN", audio={13: None}).run_on()
        """
        return self.around(self.model, *self.past(chunk, force, audio, changed).fork())

    def past(
        self,
        chunk: int,
        force: Forced | Mapping[int, Forced] | None,
        audio: Replaced | None,
        changed: Mapping[str, Any],
    ) -> Past:
        """Copy what a fork needs of this session, which may go on while another thread makes the fork of it.

        Takes milliseconds between two chunks; parameters and exceptions as in `fork`.
        """
        # Not at the top: a fork needs torch, which a kernel without a model of its own lacks.
        from .fork import Change, Past

        with self._lock:
            if not self._closed:
                self._finish_pending()
            change = Change.of(self._record, self.chunks_done, chunk, force, audio, changed)
            return Past(self.model, self._loop, self._record, change)

    def run_on(self) -> list[Event]:
        """Decide the pending audio, as after a fork, and return its events."""
        return [*self.stream_on()]

    def stream_on(self) -> EventStream:
        """Decide the pending audio as `run_on` does, and yield the events as they happen."""
        with self._lock:
            self._check_open()
            self._end_stream()
            self._stream = stream = EventStream(self._next_event, len(self._record))
        return stream

    def interrupt(self) -> None:
        """End the running reply after its current token; do nothing without a reply.

        Safe to call from another thread: it only sets a flag.
        """
        self._loop.turns.interrupt()

    def close(self) -> None:
        """End the session and free the context's memory. The record is kept.

        A running reply ends as interrupted, and pending audio that is not decided is dropped with a notice.
        """
        with self._lock:
            if self._closed:
                return
            self._loop.close()
            self._end_stream()
            self._closed = True
            self._loop.turns.release()

    def release(self) -> None:
        """Free the context's memory without a word in the record, where what is pending shall never be decided."""
        with self._lock:
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
        """Return the session's state in a word or a sentence."""
        return "closed" if self._closed else self.ended or "open"

    def __setattr__(self, name: str, value: object) -> None:
        if name in SETTING_NAMES:
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
        """Queue new items, and finish the items that were pending before them.

        In this order, so that the new items are not lost if the model fails at an earlier one.
        """
        with self._lock:
            self._check_open()
            first = self._loop.put(items)
            while self._loop.busy_before(first):
                self._loop.advance()
            self._end_stream()
            self._stream = stream = EventStream(self._next_event, len(self._record))
        return stream

    def _put(self, *items: Item) -> None:
        with self._lock:
            self._check_open()
            self._loop.put(items)

    def _next_event(self, stream: EventStream) -> Event | None:
        """Return the next event of a stream, or None at its end."""
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
        """Mark the end of the running stream: its call is complete."""
        if self._stream is not None:
            self._stream.end = len(self._record)
            self._stream = None
