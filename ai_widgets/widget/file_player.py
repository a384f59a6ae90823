"""`FilePlayer`: plays audio files into the pipeline, one after the other, as fast as chunks are decided.

One thread reads; it exists only while there is a file. It stops a few chunks ahead of the decisions (back-pressure), so
the memory a file takes does not depend on its length, and a file has a position instead of a lag.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Condition
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import AiWidgetsError, AudioError, SessionError
from ..process_exit import stop_at_exit
from ..protocol import CHUNK_SECONDS
from .file_stream import FileStream
from .stage import CLOSE_SECONDS, GLANCE_SECONDS, Stage

if TYPE_CHECKING:
    from ..audio.files import AudioReader

logger = logging.getLogger(__name__)

AHEAD_CHUNKS = 12
"""Chunks (5 s) that may wait to be decided: enough that the decode stage never waits for a page's next part (a fifth of
a second at 20 × real time), and few enough to be answered soon where a file is stopped under a slow model."""
TELL_SECONDS = 0.25
"""Least time between two messages on a file's position."""


class Pipeline(Protocol):
    """What the player needs of the worker."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until everything put in is answered."""


class FilePlayer:
    """Plays files; told by the pipeline that it moved, tells how far a file has come.

    Parameters
    ----------
    pipeline
        What files are played into.
    tell
        Called with `FileStream.to_json` when there is news of the file that is shown. On any thread, without a lock.
    report
        Called with a sentence and a page where a file could not be read to its end.
    finished
        Called when a file has come to its end, whatever ended it.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        tell: Callable[[dict[str, Any]], None],
        report: Callable[[str, str], None],
        finished: Callable[[], None],
    ) -> None:
        self._pipeline, self._tell_owner, self._report, self._finished = pipeline, tell, report, finished
        self._stage: Stage[FileStream] = Stage("ai_widgets file", self._play)
        self._changed = Condition()
        self._streams: list[FileStream] = []
        self._shown: FileStream | None = None
        self._told = float("-inf")
        self._begun_at = 0.0
        self._held_at = 0.0
        stop_at_exit(self)

    @property
    def active(self) -> bool:
        """Whether audio of a file may still come."""
        with self._changed:
            return any(not stream.over for stream in self._streams)

    @property
    def held(self) -> bool:
        """Whether the file that plays is held."""
        shown = self._shown
        return shown is not None and shown.held and not shown.over

    @property
    def playing(self) -> dict[str, Any] | None:
        """The file that plays, as `FileStream.to_json`; None where none does."""
        shown = self._shown
        return shown.to_json() if shown is not None and shown.state in ("opening", "playing", "held") else None

    @property
    def shown(self) -> dict[str, Any]:
        """The file that plays, or played last in this session; empty where there was none."""
        shown = self._shown
        return {} if shown is None else shown.to_json()

    def play(self, stream: FileStream) -> None:
        """Play a file, after those that play already.

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
        """The file that this page holds and the kernel reads, or None."""
        with self._changed:
            return next((each for each in self._streams if each.page == page and not each.over), None)

    def end(self, reason: str = "stopped", page: str | None = None) -> None:
        """End the file that plays and those behind it; with `page` only what that page holds."""
        with self._changed:
            streams = [each for each in self._streams if page is None or each.page == page]
        ended = [stream.end(reason) for stream in streams]
        with self._changed:
            self._changed.notify_all()
        if any(ended):
            self._tell()

    def forget(self) -> None:
        """Begin with a new session: what played in the old one is over, and no longer shown."""
        self.end("reset")
        with self._changed:
            self._shown = None

    def hold(self, held: bool) -> None:
        """Hold the file that plays, or let it go on."""
        with self._changed:
            shown = self._shown
            if shown is None or shown.over or shown.held == held:
                return
            shown.held = held
            shown.progress.forget_speed()
            if held:
                self._held_at = monotonic()
            else:
                # What was due while it was held is not due at once.
                self._begun_at += monotonic() - self._held_at
            self._changed.notify_all()
        self._tell()

    def look(self) -> None:
        """The pipeline has moved: there may be room for more, and the position is another."""
        shown = self._shown
        if shown is None or shown not in self._streams:
            return
        with self._changed:
            self._changed.notify_all()
        shown.look()
        if monotonic() - self._told >= TELL_SECONDS:
            self._tell()

    def wait(self, timeout: float | None = None, unless: Callable[[], bool] = lambda: False) -> bool:
        """Wait until all files are answered. False when `timeout` seconds passed, or `unless` came true, first."""
        return self._stage.join(timeout, unless=lambda: unless() or self.held)

    def wake(self) -> None:
        """Make those who wait look up."""
        self._stage.wake()

    def stop(self) -> None:
        """End all files and take no more; the thread ends after what it does. Returns at once."""
        self.end("closed")
        self._stage.stop()

    def join(self, timeout: float) -> None:
        """Wait for the thread of a stopped player to end."""
        self._stage.end(timeout)

    def close(self) -> None:
        """Stop, and wait for the thread."""
        self.stop()
        self.join(CLOSE_SECONDS)

    # The reading thread ----------------------------------------------------------------------------------------------

    def _play(self, stream: FileStream) -> None:
        try:
            if not stream.over:
                with self._changed:
                    self._shown = stream
                self._read(stream)
            stream.end("reset" if stream.feeder.over else "ended")
            self._finished()
            while not (stream.feeder.over or stream.reason != "ended" or self._pipeline.wait(GLANCE_SECONDS)):
                self.look()
            stream.answered = True
            stream.look()
            if stream.reason == "error" and stream.error is not None:
                self._report(str(stream.error), stream.page)
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
            # Whatever the decoder made of it: the bytes did not come.
            error = stream.source.failure
        if error is not None:
            stream.end("error", error)

    def _begin(self, stream: FileStream, audio: AudioReader) -> None:
        stream.begin(audio.rate, audio.seconds)
        with self._changed:
            self._begun_at = self._held_at = monotonic()
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
                stream.remark(notice.kind, notice.message, **notice.data)
            told = len(audio.notices)
        for notice in audio.notices[told:]:
            stream.remark(notice.kind, notice.message, **notice.data)

    def _wait_turn(self, stream: FileStream, piece_s: float) -> bool:
        """Wait until a piece may go into the session. False where the file has ended."""
        with self._changed:
            while not stream.over:
                wait_s = GLANCE_SECONDS
                if not stream.held and stream.feeder.waiting < AHEAD_CHUNKS:
                    if stream.pace == "fast":
                        return True
                    # As a microphone would: a piece is there when its last sample was spoken.
                    wait_s = self._begun_at + stream.read_s + piece_s - monotonic()
                    if wait_s <= 0:
                        return True
                self._changed.wait(min(wait_s, GLANCE_SECONDS))
        return False

    def _tell(self) -> None:
        self._told = monotonic()
        shown = self.shown
        if shown:
            self._tell_owner(shown)
