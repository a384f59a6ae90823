"""Play audio files into the pipeline, one after the other, as fast as chunks are decided.

A single thread reads, and exists only while a file plays. Back-pressure keeps reading a few chunks ahead of the
decisions, so the memory needed does not depend on a file's length, and a file has a position instead of a lag.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Condition
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import AiWidgetsError, AudioError, SessionError
from ...protocol import CHUNK_SECONDS
from ..stages.events import PipelineEvents
from ..stages.stage import GLANCE_SECONDS
from ..stages.worker import Worker
from .file_stream import FileStream

if TYPE_CHECKING:
    from ...audio.reader import AudioReader

logger = logging.getLogger(__name__)

AHEAD_CHUNKS = 12
"""Chunks (5 s) read ahead of the decisions: enough that the decode stage never starves while a page sends its next part
(0.2 s at 20 × real time), and few enough that a slow model decides them soon after a file is stopped."""
TELL_SECONDS = 0.25
"""Least seconds between two messages on a file's position: four updates a second look continuous."""


class Decider(Protocol):
    """The part of the pipeline that the player needs."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all queued audio is decided. Return False after `timeout` seconds."""


class FilePlayer(Worker[FileStream]):
    """A queue of audio files that are played into the pipeline.

    Parameters
    ----------
    pipeline
        Pipeline that the files are played into.
    events
        Told of each change of the shown file, of the end of each file, and of files that cannot be read.
    """

    def __init__(self, pipeline: Decider, events: PipelineEvents) -> None:
        self._pipeline, self._events = pipeline, events
        self._changed = Condition()
        self._streams: list[FileStream] = []
        self._shown: FileStream | None = None
        self._told = float("-inf")
        self._begun_at = 0.0
        self._paused_at = 0.0
        super().__init__("ai_widgets file")

    @property
    def active(self) -> bool:
        """Whether any file may still put audio into the session."""
        with self._changed:
            return any(not stream.over for stream in self._streams)

    @property
    def paused(self) -> bool:
        """Whether the current file is paused."""
        shown = self._shown
        return shown is not None and shown.paused and not shown.over

    @property
    def playing(self) -> dict[str, Any] | None:
        """The current file, as `FileStream.to_json`; None where no file plays."""
        shown = self._shown
        return shown.to_json() if shown is not None and shown.state in ("opening", "playing", "paused") else None

    @property
    def shown(self) -> dict[str, Any]:
        """The current file, or the last file of this session; empty where none has been played."""
        shown = self._shown
        return {} if shown is None else shown.to_json()

    def play(self, stream: FileStream) -> None:
        """Queue a file behind those that are playing or queued.

        Raises
        ------
        SessionError
            Where the player is closed.
        """
        with self._changed:
            self._streams.append(stream)
            if self._shown is None or self._shown not in self._streams:
                self._shown = stream
        if not self._stage.put(stream):
            raise SessionError("This widget is closed; make a new widget to continue.")
        self._tell()

    def of_page(self, page: str) -> FileStream | None:
        """Return the file that is read from this page, or None."""
        with self._changed:
            return next((each for each in self._streams if each.page == page and not each.over), None)

    def end(self, reason: str = "stopped", page: str | None = None) -> None:
        """End the current file and the queued files; with `page` only the files of that page."""
        with self._changed:
            streams = [each for each in self._streams if page is None or each.page == page]
        ended = [stream.end(reason) for stream in streams]
        with self._changed:
            self._changed.notify_all()
        if any(ended):
            self._tell()

    def forget(self) -> None:
        """End all files for a new session, which shows no file of the old one."""
        self.end("reset")
        with self._changed:
            self._shown = None

    def pause(self, paused: bool) -> None:
        """Pause or resume the current file."""
        with self._changed:
            shown = self._shown
            if shown is None or shown.over or shown.paused == paused:
                return
            shown.paused = paused
            shown.progress.forget_speed()
            if paused:
                self._paused_at = monotonic()
            else:
                # Real-time pacing is shifted by the pause, or all audio of that time would be due at once.
                self._begun_at += monotonic() - self._paused_at
            self._changed.notify_all()
        self._tell()

    def look(self) -> None:
        """Resume reading where the queue has room, and update the position; call after chunks were decided."""
        shown = self._shown
        if shown is None or shown not in self._streams:
            return
        with self._changed:
            self._changed.notify_all()
        shown.look()
        if monotonic() - self._told >= TELL_SECONDS:
            self._tell()

    def wait(self, timeout: float | None = None, unless: Callable[[], bool] = lambda: False) -> bool:
        """Wait until all files are decided. Return False after `timeout` seconds, or once `unless` returns true."""
        return self._stage.join(timeout, unless=lambda: unless() or self.paused)

    def wake(self) -> None:
        """Wake threads in `wait`, so that they check their conditions again."""
        self._stage.wake()

    def _end_work(self) -> None:
        self.end("closed")

    # The reading thread ----------------------------------------------------------------------------------------------

    def _work(self, stream: FileStream) -> None:
        try:
            if not stream.over:
                with self._changed:
                    self._shown = stream
                self._read(stream)
            stream.end("reset" if stream.feeder.over else "ended")
            self._events.recording_ended()
            while not (stream.feeder.over or stream.reason != "ended" or self._pipeline.wait(GLANCE_SECONDS)):
                self.look()
            stream.answered = True
            stream.look()
            if stream.reason == "error" and stream.error is not None:
                self._events.problem("file", str(stream.error), stream.page)
        finally:
            if stream.source is not None:
                stream.source.close()
            with self._changed:
                self._streams.remove(stream)
            self._tell()

    def _read(self, stream: FileStream) -> None:
        error: Exception | None = None
        try:
            with stream.open() as audio:
                self._begin(stream, audio)
                self._feed(stream, audio)
        except AiWidgetsError as raised:
            error = raised
        except Exception as raised:
            logger.exception("Reading %s failed.", stream.name)
            error = AudioError(f"{stream.name} could not be read ({type(raised).__name__}: {raised}).")
        if stream.source is not None and stream.source.failure is not None:
            # The missing bytes are the cause of any error that the decoder raised.
            error = stream.source.failure
        if error is not None:
            stream.end("error", error)

    def _begin(self, stream: FileStream, audio: AudioReader) -> None:
        stream.begin(audio.rate, audio.seconds)
        with self._changed:
            self._begun_at = self._paused_at = monotonic()
        self._tell()

    def _feed(self, stream: FileStream, audio: AudioReader) -> None:
        length = round(audio.rate * CHUNK_SECONDS)
        told = 0
        for block in audio:
            if stream.source is not None and stream.source.failure is not None:
                return
            for start in range(0, len(block), length):
                piece = block[start : start + length]
                if not (self._wait_turn(stream, len(piece) / audio.rate) and stream.push(piece, audio.rate)):
                    return
            for notice in audio.notices[told:]:
                stream.note(notice.kind, notice.message, **notice.data)
            told = len(audio.notices)
        for notice in audio.notices[told:]:
            stream.note(notice.kind, notice.message, **notice.data)

    def _wait_turn(self, stream: FileStream, piece_s: float) -> bool:
        """Wait until a piece may be queued. Return False where the file has ended."""
        with self._changed:
            while not stream.over:
                wait_s = GLANCE_SECONDS
                if not stream.paused and stream.feeder.waiting < AHEAD_CHUNKS:
                    if stream.pace == "fast":
                        return True
                    # Real-time pace: a piece is available once its last sample would have been captured.
                    wait_s = self._begun_at + stream.read_s + piece_s - monotonic()
                    if wait_s <= 0:
                        return True
                self._changed.wait(min(wait_s, GLANCE_SECONDS))
        return False

    def _tell(self) -> None:
        self._told = monotonic()
        shown = self.shown
        if shown:
            self._events.file_changed(shown)
