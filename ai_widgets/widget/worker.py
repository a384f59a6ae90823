"""The pipeline behind the widget: blocks → [encode stage] → heard chunks → [decode stage] → events in the record.

Two stages, so that audio which arrives while the model speaks is encoded already when its turn comes (the paper's
asynchronous inference). The worker knows threads but no comm: it tells its owner that something changed, and the owner
decides what to send. torch comes with the model, on the model's own thread, so that a widget is on screen at once.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

from ..audio import Array, ChunkAudio, Intake, silence
from ..errors import AiWidgetsError, SessionError
from ..protocol import CHUNK_SECONDS, Decision, Notice, Turn
from ..record import SessionRecord
from ..settings import Settings
from .loading import ModelSource
from .stage import Stage

if TYPE_CHECKING:
    from ..perceive import Heard, Listener
    from ..session import StreamingSession

AHEAD = 64
"""Encoded chunks that may wait for the decode stage; beyond it raw audio waits in front of the encoder."""


@dataclass(frozen=True)
class _Samples:
    samples: Array
    rate: int
    flags: tuple[str, ...]
    arrived: float
    taken: Callable[[], None] | None


@dataclass(frozen=True)
class _EndOfStream:
    tail_s: float


@dataclass(frozen=True)
class _Remark:
    kind: str
    message: str
    data: dict[str, object]


class _Run:
    """One session with its own intake and listener: what a reset replaces as a whole."""

    def __init__(self, audio_seconds: float | None) -> None:
        self.record = SessionRecord(audio_seconds)
        self.intake = Intake()
        self.listener: Listener | None = None
        self.session: StreamingSession | None = None
        self.clip = 0
        self.failure: Exception | None = None
        # What has come in, in chunks: whole recordings rounded up, the open one exact.
        self.finished_chunks = 0
        self.open_seconds = 0.0

    @property
    def decided(self) -> int:
        return self.session.chunks_done if self.session is not None else 0

    @property
    def waiting(self) -> int:
        if self.failure is not None:
            return 0
        return max(0, self.finished_chunks + int(self.open_seconds / CHUNK_SECONDS + 1e-6) - self.decided)


_Item: TypeAlias = "tuple[_Run, _Samples | _EndOfStream | _Remark]"
_Perceived: TypeAlias = "tuple[_Run, Heard | _Remark]"


class Worker:
    """Runs one model over whatever audio is put in.

    Parameters
    ----------
    source
        Loads the model on a thread of its own.
    settings
        Of every session this worker opens.
    changed
        Called, on any thread, after events were recorded; `final` says that nothing follows at once.
    failed
        Called, on any thread, with the exception that ended a session.
    audio_seconds
        See `SessionRecord`.
    """

    def __init__(
        self,
        source: ModelSource,
        settings: Settings,
        changed: Callable[[bool], None],
        failed: Callable[[Exception], None],
        audio_seconds: float | None,
    ) -> None:
        self._source, self._settings, self._changed, self._failed = source, settings, changed, failed
        self._audio_seconds = audio_seconds
        self._lock = Lock()
        self._run = _Run(audio_seconds)
        self._encode: Stage[_Item] = Stage("ai_widgets encode", self._perceive)
        self._decode: Stage[_Perceived] = Stage("ai_widgets decode", self._answer, AHEAD)
        self._speaking = False

    # Owner's side ----------------------------------------------------------------------------------------------------

    @property
    def record(self) -> SessionRecord:
        """The running session's record."""
        return self._run.record

    @property
    def failure(self) -> Exception | None:
        """What ended the running session, or None."""
        return self._run.failure or self._source.failure

    @property
    def speaking(self) -> bool:
        """Whether a reply is being spoken."""
        return self._speaking

    @property
    def waiting(self) -> int:
        """Chunks that have arrived and are not decided yet."""
        return self._run.waiting

    @property
    def alive(self) -> bool:
        """Whether any thread of the pipeline exists."""
        return self._encode.alive or self._decode.alive

    def push(
        self, samples: Array, rate: int, flags: tuple[str, ...] = (), taken: Callable[[], None] | None = None
    ) -> None:
        """Queue mono float32 audio at its native rate. `taken` is called once it went into the encode stage's work."""
        run = self._run
        with self._lock:
            run.open_seconds += len(samples) / rate
        self._put((run, _Samples(samples, rate, flags, perf_counter(), taken)))

    def end_stream(self, tail_s: float = 0.0) -> None:
        """End a recording: the rest is padded to a chunk and `tail_s` seconds of silence follow."""
        run = self._run
        with self._lock:
            # A whisker less, since a resampled length may round down to just a chunk's end.
            run.finished_chunks += ceil(run.open_seconds / CHUNK_SECONDS - 1e-4) + ceil(tail_s / CHUNK_SECONDS - 1e-9)
            run.open_seconds = 0.0
        self._put((run, _EndOfStream(tail_s)))

    def remark(self, kind: str, message: str, **data: object) -> None:
        """Record a notice in its place among the audio."""
        self._put((self._run, _Remark(kind, message, data)))

    def interrupt(self) -> None:
        """End the running reply."""
        session = self._run.session
        if session is not None:
            session.interrupt()

    def reset(self) -> None:
        """Begin a new session with a new record; audio that still waits belongs to the old one and is dropped."""
        old = self._run
        # What still waits belongs to the old run: the stages pass over it.
        self._run = _Run(self._audio_seconds)
        if old.session is not None:
            old.session.interrupt()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until everything put in is answered. False when `timeout` seconds passed first."""
        end = None if timeout is None else perf_counter() + timeout
        for stage in (self._encode, self._decode):
            if not stage.join(None if end is None else max(0.0, end - perf_counter())):
                return False
        return True

    def close(self) -> None:
        """End both threads."""
        self.interrupt()
        self._source.close()
        self._decode.close()
        self._encode.close()

    def _put(self, item: _Item) -> None:
        if not self._encode.put(item):
            raise SessionError("This widget is closed; make a new one to go on.")

    # Encode stage ----------------------------------------------------------------------------------------------------

    def _perceive(self, item: _Item) -> None:
        run, part = item
        if isinstance(part, _Samples) and part.taken is not None:
            # Also where it is passed over: whoever sent it may be waiting to send more.
            part.taken()
        if run is self._run and run.failure is None:
            try:
                self._perceive_part(run, part)
            except Exception as error:  # noqa: BLE001 - whatever a model raises must reach the user, and end this run only
                self._end_run(run, error)
        # This item is still at work, so the stage is not idle: nothing queued behind it is what makes it the last.
        self._changed(len(self._encode) == 0)

    def _perceive_part(self, run: _Run, part: _Samples | _EndOfStream | _Remark) -> None:
        if isinstance(part, _Remark):
            self._decode.put((run, part))
            return
        if run.listener is None:
            from ..perceive import Listener

            run.listener = Listener(self._source.model())
        if isinstance(part, _Samples):
            self._hear(run, run.intake.push(part.samples, part.rate, part.flags), part.arrived)
        else:
            self._hear(run, run.intake.finish() + silence(part.tail_s), perf_counter())
            run.clip += 1

    def _hear(self, run: _Run, chunks: list[ChunkAudio], arrived: float) -> None:
        if run.listener is None:
            return
        for chunk in chunks:
            if run is not self._run:
                return
            self._decode.put((run, run.listener.hear(chunk, run.clip, arrived)))

    # Decode stage ----------------------------------------------------------------------------------------------------

    def _answer(self, item: _Perceived) -> None:
        run, part = item
        if run is not self._run or run.failure is not None:
            return
        try:
            self._answer_part(run, part)
        except Exception as error:  # noqa: BLE001 - as above
            self._end_run(run, error)

    def _answer_part(self, run: _Run, part: Heard | _Remark) -> None:
        if isinstance(part, _Remark):
            run.record.append(Notice(run.decided, part.kind, part.message, part.data))
            self._changed(True)
            return
        if run.session is None:
            from ..session import StreamingSession

            run.session = StreamingSession(self._source.model(), self._settings, run.record)
        try:
            for event in run.session.step(part):
                if isinstance(event, Decision):
                    self._speaking = event.choice == "TEXT_BEGIN"
                elif isinstance(event, Turn):
                    self._speaking = False
                self._changed(False)
        finally:
            self._speaking = False
        self._changed(len(self._decode) == 0)

    def _end_run(self, run: _Run, error: Exception) -> None:
        """A model raised: end this session, keep what was recorded, tell the owner. A reset begins a new one."""
        if run is not self._run or run.failure is not None:
            return
        run.failure = error
        run.record.append(Notice(run.decided, "error", describe(error), {"error": type(error).__name__}))
        self._failed(error)
        self._changed(True)


def describe(error: BaseException) -> str:
    """An exception in one sentence: the project's own messages as they are, others with their type."""
    if isinstance(error, AiWidgetsError):
        return str(error)
    return f"The model failed with {type(error).__name__}: {error}"


def details(error: BaseException) -> str:
    """The traceback as text, for whoever wants to know more."""
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))
