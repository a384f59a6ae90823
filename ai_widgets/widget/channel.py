"""`Channel`: what pages send and what Python calls, validated and passed to the parts of a widget.

Every incoming message is validated first (`parsing.parse`), and a bad message is answered, never raised. What the parts
report is shown by the presenter. The channel needs no comm and no widget: any `Shown` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import AiWidgetsError, MessageError, SessionError
from ..record.record import SessionRecord
from ..settings import Settings
from .branches.asked import asked_change
from .channels.calls import Calls
from .files.page_files import PageFiles
from .live_settings import LiveSettings
from .presenter import Presenter
from .receiving import STALE_SECONDS
from .recordings.recordings import Recordings
from .wire import branch_messages, clip_message, messages, outgoing, recording_messages
from .wire.alarm import Alarm
from .wire.budget import Budget
from .wire.shown import Shown

if TYPE_CHECKING:
    from ..model.hub import Progress
    from ..session.listening import ListeningModel

NO_ENGINE = (
    "This widget's session runs in the kernel, so it takes no session of a page; reload the page so that it shows the "
    "widget as the kernel made it."
)
"""Answer to a page that runs an engine, as where a saved notebook had a widget of the other kind."""
FORK_BURST = 8
"""Forks that a page may ask for at once: twice as many as are kept."""
FORK_SECONDS = 1.0
"""Seconds until it may ask for one more, faster than a person does."""


class Channel(Calls):
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
        super().__init__(shown, pull=pull)
        self.presenter = Presenter(self._shown, name, load, settings, live, record, pull)
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

    # From the browser ------------------------------------------------------------------------------------------------

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
            case _:
                raise MessageError(NO_ENGINE)

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
        if not self._speaks_our_protocol(hello):
            return
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

    def _fork(self, message: branch_messages.Fork) -> None:
        try:
            if not self._forks.spend():
                raise SessionError("Too many forks at once; wait for those that run.")
            change = asked_change(message, self.presenter.pipeline.record.chunks_heard)
            self.presenter.branches.fork(change, message.sent.request)
        except AiWidgetsError as error:
            self.presenter.problem("branch", str(error), message.sent.page)
