"""`Channel`: what pages send and what Python calls, validated and passed to the parts of a widget.

Every incoming message is validated first (`parsing.parse`), and a bad message is answered, never raised. What the parts
report is shown by the presenter. The channel needs no comm and no widget: any `Shown` does.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import RLock, current_thread, main_thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..audio.clips import clip_named
from ..audio.files import open_audio
from ..audio.intake import Array
from ..errors import AiWidgetsError, SessionError, SettingError
from ..record.record import SessionRecord
from ..settings import Settings
from .branches.asked import asked_change
from .files.file_stream import FileStream
from .files.page_files import PageFiles
from .live_settings import LiveSettings, parted
from .presenter import Presenter
from .receiving import STALE_SECONDS
from .recordings.recordings import Recordings
from .wire import branch_messages, clip_message, messages, outgoing, parsing, recording_messages
from .wire.alarm import Alarm
from .wire.budget import Budget
from .wire.limits import MAX_COUNT, PACES, PROTOCOL_VERSION, Pace
from .wire.shown import Pulled, Shown

if TYPE_CHECKING:
    from ..model.hub import Progress
    from ..session.listening import ListeningModel

FORK_BURST = 8
"""Forks that a page may ask for at once: twice as many as are kept."""
FORK_SECONDS = 1.0
"""Seconds until it may ask for one more, faster than a person does."""
NO_BUFFERS = "This host drops the binary part of messages, so sound is sent as text, a third larger."
"""Notice to a page whose hello arrived without its buffer."""
logger = logging.getLogger(__name__)


class Channel:
    """The connection of a widget's parts with its pages and with Python.

    Parameters
    ----------
    shown
        The widget that pages show. It is not used before `start`.
    name, load, settings, live, record, pull
        As in `Presenter`.

    Attributes
    ----------
    presenter
        The parts, and what is shown of them.
    recordings
        Saves, opens and replays what is shown.
    """

    def __init__(
        self,
        shown: Shown,
        name: str,
        load: Callable[[Progress], ListeningModel],
        settings: Settings,
        live: LiveSettings,
        record: Callable[[], SessionRecord],
        *,
        pull: bool = False,
    ) -> None:
        self._pulled = Pulled(shown) if pull else None
        self._shown = self._pulled or shown
        self.presenter = Presenter(self._shown, name, load, settings, live, record, pull)
        # Messages arrive on the main shell's thread or on the thread of a subshell, calls of Python on any thread.
        self._receive_lock = RLock()
        self._binary = False
        self._forks = Budget(FORK_BURST, FORK_SECONDS)
        self._pages = PageFiles(self.presenter.player, self.presenter.pipeline.feeder, self._ask_for_bytes)
        self.recordings = Recordings(self.presenter, self._receive_lock)
        self._alarm = Alarm(self.look_at_stream)

    def start(self) -> None:
        """Show the first state, and begin to load the model."""
        self.presenter.start()

    def close(self) -> None:
        """End threads and timers and release the model; the record stays."""
        self._alarm.close()
        self.recordings.close()
        self.presenter.close()

    # From Python -----------------------------------------------------------------------------------------------------

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

    # From the browser ------------------------------------------------------------------------------------------------

    def receive(self, content: object, buffers: Sequence[Any] = ()) -> None:
        """Validate and enqueue a message; a bad message is answered with a problem and never raises."""
        with self._receive_lock:
            try:
                self._take(parsing.parse(content, buffers))
            except AiWidgetsError as error:
                self._refuse(content, error)
        if self._pulled is not None:
            self.presenter.outbox.flush()
            self._pulled.answer()

    def _take(self, message: messages.Message) -> None:
        parts = self.presenter
        match message:
            case messages.Block():
                begins = message.seq == 0 or parts.receiver.quiet
                parts.receiver.block(message)
                if begins:
                    parts.show_state()
                self._alarm.set(STALE_SECONDS)
            case messages.Hello():
                self._welcome(message)
            case messages.Open():
                if not self._file_plays(message.page):
                    self.recordings.audio_begins()
                    parts.receiver.open(message)
                parts.show_state()
                if parts.pipeline.failure is not None:
                    # The audio would never be decided; the page ends the recording at this message.
                    parts.session_failed(parts.pipeline.failure)
            case messages.Close():
                parts.recording_ended()
                parts.receiver.close(message)
                parts.show_state()
            case messages.Play() | clip_message.PlayClip():
                self._play_for(message)
            case messages.Bytes():
                self._pages.take(message)
                self.recordings.take(message)
            case messages.FileAction():
                self._act_on_file(message)
                parts.show_state()
            case messages.MicState():
                parts.mic = message
                parts.receiver.state(message)
                parts.show_state()
            case messages.Set():
                self._set(message)
            case messages.Fetch():
                samples = parts.pipeline.record.chunk_audio(message.chunk)
                parts.put(*outgoing.audio(message, samples, self._binary))
            case messages.Loop():
                parts.pipeline.set_loop(message.mode)
            case messages.Step():
                parts.pipeline.step()
            case messages.Interrupt():
                parts.pipeline.interrupt()
            case messages.Reset():
                self.begin_session()
            case branch_messages.Fork():
                self._fork(message)
            case branch_messages.DropBranch():
                parts.branches.drop(message.branch)
            case messages.Poll():
                parts.outbox.flush()
            case recording_messages.Save():
                self.recordings.save(message)
            case recording_messages.Part():
                self.recordings.saver.part(message, binary=self._binary)
            case recording_messages.Release():
                self.recordings.saver.release(message)
            case recording_messages.Load():
                self.recordings.load(message)
            case recording_messages.Unload():
                self.recordings.unload()
            case recording_messages.Replay():
                self.recordings.replay(message)
            case recording_messages.Analyse():
                self.recordings.analyse(message)

    def look_at_stream(self) -> None:
        """Note a stream that has become quiet. A timer calls this, since a closed page sends no message."""
        receiver = self.presenter.receiver
        with self._receive_lock:
            stream = receiver.stream
            if stream is None:
                return
            receiver.look()
            if not receiver.quiet:
                self._alarm.set(STALE_SECONDS)
        self.presenter.show_state()

    def _welcome(self, hello: messages.Hello) -> None:
        if hello.protocol != PROTOCOL_VERSION:
            sentence = (
                f"The page uses protocol {hello.protocol}, the kernel {PROTOCOL_VERSION}; reload the page "
                "and restart the kernel so that both come from one installation."
            )
            self.presenter.problem("version", sentence, hello.page)
            return
        self._binary = hello.binary and not self.presenter.pull
        if not hello.binary:
            self.presenter.problem("no_buffers", NO_BUFFERS, hello.page)
        self.presenter.welcome(hello, *self.recordings.told)
        for message in self.recordings.analysed:
            self.presenter.put(message)

    def _play_for(self, message: messages.Play | clip_message.PlayClip) -> None:
        parts = self.presenter
        if self._file_plays(message.page) or not parts.receiver.make_way(message.page):
            return
        if parts.pipeline.failure is not None:
            parts.session_failed(parts.pipeline.failure)
            return
        self.recordings.audio_begins()
        self._pages.play(message)
        parts.show_state()

    def _file_plays(self, page: str) -> bool:
        """Return whether a file plays, and send a problem to the page that asks to send audio."""
        if self.presenter.player.active:
            sentence = "A file plays in this widget; stop the file first, or wait for its end."
            self.presenter.problem("busy_elsewhere", sentence, page)
        return self.presenter.player.active

    def _act_on_file(self, message: messages.FileAction) -> None:
        if message.action == "stop":
            # A user may stop any file; a page that closes ends only the file it holds.
            self.presenter.player.end(message.reason, None if message.reason == "stopped" else message.page)
        else:
            self.presenter.player.pause(message.action == "pause")

    def _ask_for_bytes(self, stream: int, offset: int, length: int, page: str) -> None:
        self.presenter.put(outgoing.need(stream, offset, length, page))

    def _set(self, message: messages.Set) -> None:
        try:
            self.change(message.changes)
        except AiWidgetsError as error:
            named = error.names if isinstance(error, SettingError) else ()
            names = [name for name in message.changes if name in named] or list(message.changes)
            self._answer_refused(str(error), names, message.request)
            # The page shows the requested values until it receives the current ones.
            self._shown.show_again("settings", "live")

    def _fork(self, message: branch_messages.Fork) -> None:
        try:
            if not self._forks.spend():
                raise SessionError("Too many forks at once; wait for those that run.")
            change = asked_change(message, self.presenter.pipeline.record.chunks_heard)
            self.presenter.branches.fork(change, message.sent.request)
        except AiWidgetsError as error:
            self.presenter.problem("branch", str(error), message.sent.page)

    def _refuse(self, content: object, error: AiWidgetsError) -> None:
        """Report a message that was refused; a `set` message with a request number gets its answer."""
        request = content.get("request") if isinstance(content, Mapping) and content.get("type") == "set" else None
        if isinstance(request, int) and 0 < request <= MAX_COUNT:
            self._answer_refused(str(error), [], request)
        else:
            self.presenter.problem("message", str(error))

    def _answer_refused(self, sentence: str, names: Sequence[str], request: int) -> None:
        """Answer a refused request, without the coalescing of `put_problem`: each request needs an answer."""
        logger.info("setting: %s", sentence)
        self.presenter.put(outgoing.problem("setting", sentence, names=names, request=request))
