"""`PagePresenter`: what a widget shows whose session runs in a page: traits, history, and the messages to pages."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING, Any

from ...protocol import CHUNK_SECONDS
from ...record.record import SessionRecord
from ...settings import Settings
from ..channels.presenting import Presenting
from ..history_writer import HistoryKeeper
from ..live_settings import LiveSettings
from ..loading import ModelSource
from ..model_info import describe_model
from ..stages.running_session import PROGRESS
from ..wire import outgoing
from ..wire.alarm import Alarm
from ..wire.engine_messages import EngineEvents
from ..wire.failures import describe, details
from ..wire.kernel_message import KernelMessage
from ..wire.messages import Hello, MicState
from ..wire.outbox import Outbox
from ..wire.shown import Shown
from .offered_files import OfferedFiles
from .page_session import PageSession

if TYPE_CHECKING:
    from ...model.hub import Progress
    from ...session.listening import ListeningModel

QUIET_SECONDS = 2.0
"""Seconds without a message after which a recording counts as ended and the history is written: a page that hears
sends some messages a second."""
logger = logging.getLogger(__name__)


class PagePresenter(Presenting):
    """The model, the record that arrives, and the present state of both.

    Parameters
    ----------
    shown
        The widget. It is not used before `start`.
    name
        Name of the model, as the widget was given it.
    load
        Loads and exports the model; called on a thread of its own.
    files
        Files of the engine, offered when the model is loaded.
    settings, live
        Settings of the next session, and of the widget.
    record
        Record that is shown until a page begins a session.
    pull
        Whether pages poll for messages.

    Attributes
    ----------
    session
        The session that arrives, or None before a page began one.
    changing
        Lock held while settings are read, changed and written back.
    """

    def __init__(
        self,
        shown: Shown,
        name: str,
        load: Callable[[Progress], ListeningModel],
        files: OfferedFiles,
        settings: Settings,
        live: LiveSettings,
        record: SessionRecord,
        pull: bool,
    ) -> None:
        super().__init__(shown, name, pull)
        self._files = files
        self.settings, self.live = settings, live
        self.changing = RLock()
        self.session: PageSession | None = None
        self._empty = record
        self.source = ModelSource(load, self._model_changed)
        # The page has the events already: an empty record, so that none is sent back.
        unsent = SessionRecord(audio_seconds=0)
        self.outbox = Outbox(shown.send, lambda: unsent, lambda: 0, shown.send_lock, pull=pull)
        self._keeper = HistoryKeeper(self._show_history)
        self._keeper.follow(record, self.outbox.session)
        self._quiet = Alarm(self._look_for_quiet)
        self._arrived = monotonic()
        self._loop: dict[str, Any] = {"mode": "run", "phase": "", "chunk": -1}
        self.waiting = 0

    def start(self) -> None:
        """Show the first state, and begin to load the model."""
        self._shown.show("model_info", self._describe_model())
        self.show_settings()
        self.show_state()
        self.source.start()

    def close(self) -> None:
        """End timers and loading, and release model and files; the record stays."""
        self._quiet.close()
        self.outbox.close()
        self.source.stop()
        self._files.withdraw()
        self.closed = True

    def settle(self) -> None:
        """Show the last state and history of a closed widget, while its pages still receive it."""
        self._keeper.flush()
        self.show_state()
        self._flush()

    # State -----------------------------------------------------------------------------------------------------------

    @property
    def record(self) -> SessionRecord:
        """The record of the newest session."""
        return self._empty if self.session is None else self.session.record

    @property
    def owner(self) -> str:
        """The page that runs the session, or empty before one began it."""
        return "" if self.session is None else self.session.page

    @property
    def state(self) -> str:
        """What the widget does now, in one word: the values of the trait `state`."""
        session = self.session
        if self.source.failure is not None or self.mic.state == "error" or (session is not None and session.refused):
            return "error"
        if session is not None and session.replying:
            return "speaking"
        if self.mic.state == "paused":
            return "paused"
        if self.mic.state == "listening" or self.waiting:
            return "listening"
        if self.mic.state == "asking":
            return "asking"
        return "stopped" if len(self.record) else "idle"

    def show_state(self) -> None:
        """Show what the widget does now: state, loop and counters."""
        session = self.session
        dropped = 0.0 if session is None else session.dropped_s
        self._shown.show("state", self.state)
        self._shown.show("loop", self._loop)
        self._shown.show(
            "counters",
            {
                "waiting": self.waiting,
                "lag_s": round(self.waiting * CHUNK_SECONDS, 1),
                "dropped_chunks": int(dropped / CHUNK_SECONDS + PROGRESS),
                "dropped_s": round(dropped, 3),
                "discarded_s": round(self.record.audio_start_s, 1),
            },
        )

    def show_settings(self) -> None:
        """Show the settings in effect."""
        with self.changing:
            self._shown.show("settings", self.settings.to_json())
            self._shown.show("live", self.live.to_json())

    def adopt(self, settings: Settings, live: LiveSettings) -> None:
        """Take over settings that are checked, and show them."""
        with self.changing:
            self.settings, self.live = settings, live
            self.show_settings()
        self._show_model()

    # What pages do ---------------------------------------------------------------------------------------------------

    def welcome(self, hello: Hello) -> None:
        """Send a page the whole state, the engine's files, and what was taken if it runs the session."""
        message = outgoing.welcome(
            hello,
            self.pull,
            self.outbox.session,
            self._describe_model(),
            self.settings.to_json(),
            self.live.to_json(),
            {**self._loop, "waiting": self.waiting},
            {},
            outgoing.recording("none"),
            outgoing.replayed("none"),
        )
        self.outbox.put({**message, "first": len(self.record)})
        self._offer()
        session = self.session
        if session is not None and session.page == hello.page:
            self.outbox.put(outgoing.written(session.taken))
        self._flush()

    def begin(self, session: PageSession) -> None:
        """Show a session that a page has begun, in place of the one before."""
        self.session, self.waiting = session, 0
        self.outbox.session += 1
        self._keeper.follow(session.record, self.outbox.session)
        self._shown.show("history", {})
        self._save()
        self.adopt(session.settings, session.live)
        self.show_state()

    def arrived(self, message: EngineEvents | None = None) -> None:
        """Show what a message of the session changed."""
        session = self.session
        if session is None:
            return
        if message is not None:
            self._loop = {"mode": message.mode, "phase": message.phase, "chunk": message.chunk}
            self.waiting = message.waiting
        self._arrived = monotonic()
        self._quiet.set(QUIET_SECONDS)
        self.show_state()
        self._keeper.look(idle=not self.waiting and session.chunks == session.heard)

    def microphone(self, message: MicState) -> None:
        """Show the state of the page's microphone; the history is written when a recording has ended."""
        self.mic = message
        if message.state in ("idle", "stopped", "error"):
            self._keeper.recording_ended()
        self.show_state()
        self.arrived()

    def _look_for_quiet(self) -> None:
        """Write the history if no message came for a while. A timer calls this, since a page may just be closed."""
        left = QUIET_SECONDS - (monotonic() - self._arrived)
        if left > 0:
            self._quiet.set(left)
        else:
            self._keeper.flush()

    # Messages --------------------------------------------------------------------------------------------------------

    def tell(self, message: KernelMessage) -> None:
        """Send a message to the pages."""
        self.put(outgoing.written(message))

    def _model_changed(self) -> None:
        """Show how far loading is, that the model is ready, or why it failed."""
        self.show_state()
        failure = self.source.failure
        if failure is not None:
            self.problem("model", describe(failure), "", details(failure))
        self._show_model()
        if self.source.status == "ready":
            self._offer()
            self._flush()

    def _offer(self) -> None:
        if self._files.listed:
            self.outbox.put(outgoing.engine_files(self._files.listed))

    def _show_model(self) -> None:
        info = self._describe_model()
        if self._shown.show("model_info", info):
            self.put(outgoing.model_status(info))

    def _describe_model(self) -> dict[str, Any]:
        return describe_model(self._name, self.source, self.settings, None)
