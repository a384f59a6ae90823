"""`Calls`: what Python asks of a widget whose session runs in the kernel."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import RLock, current_thread, main_thread
from time import monotonic
from typing import Any

from ...audio.clips import clip_named
from ...audio.files import open_audio
from ...audio.intake import Array
from ...errors import SessionError, SettingError
from ...record.record import SessionRecord
from ...settings import Settings
from ..branches.branch import Branch, Change
from ..files.file_stream import FileStream
from ..live_settings import LiveSettings, parted
from ..presenter import Presenter
from ..recordings.recordings import Recordings
from ..voice.voice import Speak
from ..wire.limits import PACES, Pace
from .received import Received


class Calls(Received):
    """The calls of Python, which may come on any thread.

    Attributes
    ----------
    presenter, recordings
        As in `Channel`, which creates them.
    """

    presenter: Presenter
    recordings: Recordings

    @property
    def _answers(self) -> Presenter:
        return self.presenter

    @property
    def error(self) -> Exception | None:
        """What stopped the session, or None."""
        return self.presenter.pipeline.failure

    @property
    def waiting(self) -> int:
        """Chunks that have arrived and are not decided yet."""
        return self.presenter.pipeline.waiting

    @property
    def queued(self) -> int:
        """Number of items in the queues of the pipeline."""
        return self.presenter.pipeline.queued

    @property
    def changing(self) -> RLock:
        """Lock that is held while settings are read, changed and written back."""
        return self.presenter.pipeline.changing

    @property
    def in_effect(self) -> tuple[Settings, LiveSettings]:
        """Settings of the session and of the widget."""
        return self.presenter.pipeline.settings, self.presenter.pipeline.live

    @property
    def playing(self) -> dict[str, Any] | None:
        """The file that plays, or None."""
        return self.presenter.player.playing

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The newest branches of the running session, oldest first."""
        return self.presenter.branches.kept

    def settle(self) -> None:
        """Show the last state and history of a closed widget, while its pages still receive it."""
        self.presenter.settle()

    def stop_file(self) -> None:
        """End the file that plays, and those after it."""
        self.presenter.player.end()

    def set_loop(self, *, running: bool) -> None:
        """Let the loop run, or pause it before its next phase."""
        self.presenter.pipeline.set_loop("run" if running else "pause")

    def step(self, *, wait: bool) -> None:
        """Pause the loop and run its next phase; with `wait`, return when it is done."""
        self.presenter.pipeline.step()
        if wait:
            self.wait(None)

    def interrupt(self) -> None:
        """End the running reply."""
        self.presenter.pipeline.interrupt()

    def show(self, record: SessionRecord | None) -> None:
        """Show another record in place of the session's; None shows the session again."""
        path = None if record is None else record.path
        self.recordings.show(record, "a record" if path is None else path.name)

    def fork(self, change: Change) -> Branch:
        """Begin a branch of the session."""
        return self.presenter.branches.fork(change)

    def speak(self, speak: Speak | None) -> None:
        """Speak each complete reply with a function of text-to-speech; None: no longer."""
        self.presenter.voice.use(speak)

    def feed(self, samples: Array, rate: int, *, end: bool, tail_s: float) -> None:
        """Queue mono float32 audio of Python; `end` ends the recording, `tail_s` seconds of silence follow.

        Raises
        ------
        SessionError
            A file plays, or a page's stream is open.
        """
        parts = self.presenter
        if end:
            parts.recording_ended()
        with self._receive_lock:
            if parts.player.active:
                raise SessionError("A file plays in this widget; wait for its end (`wait()`) or end it (`stop()`).")
            self.recordings.audio_begins()
            parts.receiver.feed(samples, rate, end=end, tail_s=tail_s)

    def play(self, path: str | os.PathLike[str], tail_s: float, pace: Pace) -> FileStream:
        """Queue a file of the disk behind the files that play; see `AudioInteraction.play`."""
        if pace not in PACES:
            raise SettingError(f"pace must be one of {', '.join(PACES)}, not {pace!r}.")
        # A file that is none is known here, and not on the thread that plays.
        with open_audio(path, longest_s=None):
            pass
        name = str(clip_named(path) or Path(path).name)
        read = partial(open_audio, path, name=name, longest_s=None)
        parts = self.presenter
        with self._receive_lock:
            parts.receiver.claim(apart=True)
            self.recordings.audio_begins()
            stream = FileStream(name, read, parts.pipeline.feeder(), tail_s, pace)
            parts.player.play(stream)
        return stream

    def wait(self, timeout: float | None) -> bool:
        """Wait until all audio is decided. Return False after `timeout` seconds, or where loop or file are paused."""
        started, pipeline = monotonic(), self.presenter.pipeline
        with self._cell_runs():
            if not self.presenter.player.wait(timeout, unless=lambda: pipeline.gate.blocked):
                return False
            return pipeline.wait(None if timeout is None else max(0.0, timeout - (monotonic() - started)))

    @contextmanager
    def _cell_runs(self) -> Iterator[None]:
        """Send at once, also in pull mode, where the caller is a cell: meanwhile no page is answered."""
        if self._pulled is None or current_thread() is not main_thread():
            yield
            return
        self.presenter.pushing = True
        try:
            yield
        finally:
            self.presenter.pushing = False
            self.presenter.outbox.flush()
            self._pulled.answer()

    def begin_session(self) -> None:
        """Begin a new session, and show it."""
        with self._receive_lock:
            self.recordings.session_begins()
            self.presenter.begin_session()

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change settings by name, all or none, and show them.

        Raises
        ------
        SettingError
            An unknown name, or a value that is not allowed.
        """
        session, live = parted(changes)
        # One lock from reading to showing: what another thread changes meanwhile would be set back.
        with self.presenter.pipeline.changing:
            self.presenter.pipeline.change(session, live)
            self.presenter.show_settings()
        self.presenter.show_model()
