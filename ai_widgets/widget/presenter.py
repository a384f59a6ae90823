"""`Presenter`: the parts of a widget that work without a page, and what pages are shown of them.

The presenter owns pipeline, sources and outbox. What they report becomes synced traits and messages. It knows its
widget only as a `Shown`: neither traitlets nor a comm.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..audio.origin import Origin
from ..record.record import SessionRecord
from ..settings import Settings
from .branches.branches import Branches
from .channels.presenting import Presenting
from .files.file_player import FilePlayer
from .history_writer import HistoryKeeper
from .live_settings import LiveSettings
from .loading import ModelSource
from .model_info import describe_model
from .pipeline import Pipeline
from .receiving import Receiver
from .stages.events import PipelineEvents
from .voice.voice import Voice
from .wire import outgoing
from .wire.failures import describe, details
from .wire.messages import Hello
from .wire.outbox import Outbox
from .wire.shown import Shown

if TYPE_CHECKING:
    from ..model.hub import Progress
    from ..session.listening import ListeningModel

logger = logging.getLogger(__name__)

COUNT_SECONDS = 0.25
"""Least seconds between two updates of the trait `counters`, which change with every chunk."""


class Presenter(Presenting, PipelineEvents):
    """The pipeline, its sources and its outbox, and the present state of all of them.

    Parameters
    ----------
    shown
        The widget. It is not used before `start`.
    name
        Name of the model, as the widget was given it.
    load
        Loads the model; called on a thread of its own.
    settings, live
        Settings of the sessions, and those that outlive a session.
    record
        Makes the record of a new session.
    pull
        Whether pages poll for messages, for hosts that show nothing sent by a background thread.

    Attributes
    ----------
    pipeline, player, receiver, branches, voice
        The pipeline, its two sources of audio, the session's forks, and text-to-speech of the replies.
    """

    def __init__(
        self,
        shown: Shown,
        name: str,
        load: Callable[[Progress], ListeningModel],
        settings: Settings,
        live: LiveSettings,
        record: Callable[[], SessionRecord],
        pull: bool,
    ) -> None:
        super().__init__(shown, name, pull)
        self.source = ModelSource(load, self.model_changed)
        self.pipeline = Pipeline(self.source, settings, live, self, record)
        self.player = FilePlayer(self.pipeline, self)
        self.receiver = Receiver(self.pipeline, self)
        self.outbox = Outbox(
            shown.send, lambda: self.pipeline.record, lambda: self.pipeline.waiting, shown.send_lock, pull=pull
        )
        self.branches = Branches(
            self.pipeline, self.source, self.branches_changed, partial(self.problem, "branch_closed")
        )
        self.outbox.branches, self.outbox.opened = self.branches.messages, lambda: self.pipeline.opened is not None
        self.voice = Voice(self.pipeline, self.put, self.problem, lambda: self.receiver.page)
        self._keeper = HistoryKeeper(self._show_history)
        self._keeper.follow(self.pipeline.record, self.outbox.session)
        self._counted = float("-inf")
        self._prefix: tuple[int, ...] | None = None

    def start(self) -> None:
        """Show the first state, and begin to load the model."""
        self._shown.show("model_info", self._describe_model())
        self._shown.show("loop", self.pipeline.gate.to_json())
        self._shown.show("counters", self.pipeline.counters)
        self.show_settings()
        self.source.start()

    # State -----------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """What the widget does now, in one word: the values of the trait `state`."""
        stream, pipeline = self.receiver.stream, self.pipeline
        if pipeline.failure is not None or self.mic.state == "error":
            return "error"
        if pipeline.speaking:
            return "speaking"
        if self.player.paused or (stream is not None and self.mic.state == "paused"):
            return "paused"
        recording = stream is not None and stream.expected > 0 and not self.receiver.quiet
        if recording or pipeline.waiting or self.player.active:
            return "listening"
        if self.mic.state == "asking":
            return "asking"
        return "stopped" if len(pipeline.record) else "idle"

    @property
    def record(self) -> SessionRecord:
        """The record that is shown: the running session's, unless another one is opened."""
        return self.pipeline.record

    def show_state(self) -> None:
        """Show what the widget does now."""
        self._shown.show("state", self.state)

    def show_settings(self) -> None:
        """Show the settings in effect."""
        with self.pipeline.changing:
            self._shown.show("settings", self.pipeline.settings.to_json())
            self._shown.show("live", self.pipeline.live.to_json())

    def show_model(self) -> None:
        """Show the model where its description has changed: loaded, failed, or with another prefix."""
        info = self._describe_model()
        if self._shown.show("model_info", info):
            self.put(outgoing.model_status(info))

    def welcome(self, hello: Hello, recording: dict[str, Any], replayed: dict[str, Any]) -> None:
        """Send a page the whole state, and the events that it lacks.

        `recording` and `replayed` are the newest messages of these types.
        """
        outbox, pipeline = self.outbox, self.pipeline
        self.voice.page_came(hello.page, hello.binary and not self.pull)
        welcome = outgoing.welcome(
            hello,
            self.pull,
            outbox.session,
            self._describe_model(),
            pipeline.settings.to_json(),
            pipeline.live.to_json(),
            {**pipeline.gate.to_json(), "waiting": pipeline.waiting},
            self.player.shown,
            recording,
            replayed,
        )
        outbox.welcome(welcome, hello.seen if hello.session == outbox.session else 0)
        self.branches.welcome()
        failure = pipeline.failure
        if failure is not None and self.source.failure is None:
            # The page may have been opened after the failure. Failed loading is part of the model's status.
            self.session_failed(failure, hello.page)
        outbox.flush()

    def begin_session(self) -> None:
        """Begin a new session with an empty record and history; a file that plays ends."""
        self.player.forget()
        self.outbox.begin_session(self._reset)
        self.receiver.begin_session()
        self._follow()

    def show_record(self, record: SessionRecord | None) -> None:
        """Show a record in place of the running session's, which stays as it is; None shows the session again."""
        if self.pipeline.opened is record:
            return

        def replace() -> None:
            self.pipeline.opened = record
            self.branches.show(record is None)

        self.outbox.begin_session(replace)
        self._follow()

    def _follow(self) -> None:
        """Show the record that is shown from now on in history and state."""
        self._keeper.follow(self.pipeline.record, self.outbox.session)
        self._shown.show("history", {})
        self._save()
        self.events_came(True)

    def close(self) -> None:
        """End threads and timers and release the model; the record stays."""
        self.voice.close()
        self.branches.close()
        self.player.close()
        self.outbox.close()
        self.pipeline.close()
        self.closed = True

    def settle(self) -> None:
        """Show the last state and history of a closed widget, while its pages still receive it."""
        self._keeper.flush()
        self.events_came(True)

    # Reported by pipeline, receiver, player and loader ---------------------------------------------------------------

    def block_taken(self, origin: Origin) -> None:
        """Acknowledge a block; the message leaves with the next events."""
        self.outbox.acknowledge(origin.stream, origin.seq)

    def events_came(self, final: bool) -> None:
        """Show new events and state; `final`: the queue of the calling stage is empty."""
        self.player.look()
        self.voice.look()
        self.show_state()
        prefix = self.pipeline.prefix
        if prefix is not None and prefix != self._prefix:
            self._prefix = prefix
            self.show_model()
        self._show_counters(final)
        if final or self.outbox.due:
            self._flush()
        self._keeper.look(idle=final and not self.pipeline.waiting)

    def branches_changed(self, final: bool) -> None:
        """Send what is new of the branches: at once if `final`, else with the next batch."""
        if final or self.outbox.due:
            self._flush()

    def loop_changed(self) -> None:
        """Show mode and phase of the loop."""
        state = self.pipeline.gate.to_json()
        self._shown.show("loop", state)
        self.put(outgoing.loop(**state, waiting=self.pipeline.waiting))

    def session_failed(self, error: Exception, page: str = "") -> None:
        """Send the exception that ended the session, as a sentence with its traceback."""
        self.problem("model", describe(error), page, details(error))

    def decoder_idle(self) -> None:
        """Write the history now, because the decode stage is idle."""
        self._keeper.flush()

    def file_changed(self, file: dict[str, Any]) -> None:
        """Show state and position of the file that plays."""
        self.show_state()
        self.outbox.put_playing(outgoing.playing(file))
        self._flush()

    def recording_ended(self) -> None:
        """Write the history as soon as the recording is decided."""
        self._keeper.recording_ended()

    def model_changed(self) -> None:
        """Show how far loading is, that the model is ready, or why it failed."""
        self.show_state()
        failure = self.source.failure
        if failure is not None:
            self.session_failed(failure)
        self.show_model()
        self.events_came(True)

    def _reset(self) -> None:
        self.pipeline.reset()
        self.branches.begin_session()

    def _describe_model(self) -> dict[str, Any]:
        return describe_model(self._name, self.source, self.pipeline.settings, self.pipeline.prefix)

    def _show_counters(self, final: bool) -> None:
        now = monotonic()
        if final or now - self._counted >= COUNT_SECONDS:
            self._counted = now
            self._shown.show("counters", self.pipeline.counters)
