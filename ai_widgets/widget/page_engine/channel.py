"""`PageChannel`: the channel of a widget whose session runs in its page (``engine="page"``).

The page perceives, decides and responds, also while the kernel is busy; its events and audio arrive here and become the
record. Python asks the page for what it wants of the session, and is refused what only a session in the kernel can do.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from threading import RLock
from typing import TYPE_CHECKING, Any, NoReturn

from ...audio.intake import Array
from ...errors import AiWidgetsError, MessageError, SessionError
from ...record.record import SessionRecord
from ...settings import Settings
from ..branches.branch import Branch, Change
from ..channels.received import Received
from ..files.file_stream import FileStream
from ..live_settings import LiveSettings, parted
from ..recordings.jobs import Jobs
from ..recordings.saving import Saver
from ..voice.voice import Speak
from ..wire import messages, outgoing, recording_messages
from ..wire.budget import Budget
from ..wire.engine_messages import EngineBegin, EngineChunk, EngineEvents, EngineFile
from ..wire.kernel_engine import EngineAction, EngineControl, EngineElsewhere, EngineSet, EngineTaken
from ..wire.limits import Pace
from ..wire.shown import Shown
from .offered_files import OfferedFiles, exporting
from .page_session import PageSession
from .presenter import PagePresenter

if TYPE_CHECKING:
    from ...model.hub import Progress
    from ...session.listening import ListeningModel

NOT_LOADED = "The model is not loaded yet; the page begins its session when the kernel has offered the engine's files."
"""Answer to a page that begins a session too early."""
ELSEWHERE = 'make the widget with engine="kernel"'
"""What a person does who needs the session in the kernel, for the sentences of refusals."""
BEGIN_BURST = 16
"""Sessions that pages may begin at once: twice as many as a page keeps for a busy kernel."""
BEGIN_SECONDS = 1.0
"""Seconds until they may begin one more, faster than a person resets."""
TOO_MANY = "Too many sessions begin at once; send it again in a second."
"""Answer to a page that begins sessions faster than that; a kept session is a folder on the disk."""
logger = logging.getLogger(__name__)


class PageChannel(Received):
    """The connection of the record in the kernel with the pages that run the session.

    Parameters
    ----------
    shown
        The widget that pages show. It is not used before `start`.
    name, load, settings, live, record, pull
        As in `Presenter`; `load` returns a language model of this package, which is exported.

    Attributes
    ----------
    presenter
        The state, and what is shown of it.
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
        self._record, self._files, self._jobs = record, OfferedFiles(), Jobs()
        self.presenter = PagePresenter(
            self._shown, name, exporting(load, self._files), self._files, settings, live, record(), pull
        )
        self._saver = Saver(self._jobs, self.presenter.put)
        self._begins = Budget(BEGIN_BURST, BEGIN_SECONDS)

    @property
    def _answers(self) -> PagePresenter:
        return self.presenter

    def start(self) -> None:
        """Show the first state, and begin to load and to export the model."""
        self.presenter.start()

    def close(self) -> None:
        """End threads and timers and release model and files; the record stays."""
        self._jobs.close()
        self._saver.remove()
        self.presenter.close()

    def settle(self) -> None:
        """Show the last state and history of a closed widget, while its pages still receive it."""
        self.presenter.settle()

    # From Python -----------------------------------------------------------------------------------------------------

    @property
    def error(self) -> Exception | None:
        """Error of loading, or the refusal of what the page sent; None if there is none."""
        session = self.presenter.session
        refused = None if session is None or not session.refused else SessionError(session.refused)
        return self.presenter.source.failure or refused

    @property
    def waiting(self) -> int:
        """Chunks that have arrived in the page and are not decided, as it reported last."""
        return self.presenter.waiting

    @property
    def queued(self) -> int:
        """The kernel has no queue: a message is recorded when it is taken, and chunks wait in the page."""
        return 0

    @property
    def changing(self) -> RLock:
        """Lock that is held while settings are read, changed and written back."""
        return self.presenter.changing

    @property
    def in_effect(self) -> tuple[Settings, LiveSettings]:
        """Settings of the session and of the widget."""
        return self.presenter.settings, self.presenter.live

    @property
    def playing(self) -> dict[str, Any] | None:
        """No file of the kernel's disk plays into a page's session."""
        return None

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The kernel has no branches of a page's session."""
        return ()

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change settings by name, all or none: the page changes its session from the next decided chunk on.

        Raises
        ------
        SettingError
            An unknown name, or a value that is not allowed.
        """
        with self.changing:
            self._change_for(changes)
            now = {name: value for each in self.in_effect for name, value in each.to_json().items()}
        self.presenter.tell(EngineSet(self.presenter.owner, {name: now[name] for name in changes}))

    def set_loop(self, *, running: bool) -> None:
        """Ask the page to let the loop run, or to pause it before its next phase."""
        self._ask("run" if running else "pause")

    def step(self, *, wait: bool) -> None:  # noqa: ARG002 - the page may be blocked from answering while a cell runs
        """Ask the page to pause the loop and to run its next phase. Returns at once."""
        self._ask("step")

    def interrupt(self) -> None:
        """Ask the page to end the running reply."""
        self._ask("interrupt")

    def begin_session(self) -> None:
        """Ask the page to begin a new session; the record is replaced when it has."""
        self._ask("reset")

    def feed(self, samples: Array, rate: int, *, end: bool, tail_s: float) -> NoReturn:  # noqa: ARG002 - refused
        """Refuse audio of Python.

        Raises
        ------
        SessionError
            Always.
        """
        raise _refused("takes no audio of Python", f"Record or open a file in the page, or {ELSEWHERE}")

    def play(self, path: str | os.PathLike[str], tail_s: float, pace: Pace) -> FileStream:  # noqa: ARG002 - refused
        """Refuse a file of the kernel's disk; raises a `SessionError` always."""
        raise _refused("plays no file of the kernel's disk", f"Open the file in the page, or {ELSEWHERE}")

    def stop_file(self) -> None:
        """Refuse to end a file; raises a `SessionError` always."""
        raise _refused("plays no file of the kernel's disk", "A file of the page is stopped in the page")

    def wait(self, timeout: float | None) -> bool:  # noqa: ARG002 - refused
        """Refuse to wait: a page's messages may not be taken while a cell runs; raises a `SessionError` always."""
        raise _refused("decides without the kernel", f"Read w.record in a later cell, or {ELSEWHERE}")

    def show(self, record: SessionRecord | None) -> None:
        """Refuse to show another record; raises a `SessionError` unless it is None."""
        if record is not None:
            instead = f"Save the record and open its file in the page, or {ELSEWHERE}"
            raise _refused("shows its own record", instead)

    def fork(self, change: Change) -> Branch:  # noqa: ARG002 - refused
        """Refuse a branch; raises a `SessionError` always."""
        raise _refused("is forked in the page", f"Select a chunk there, or {ELSEWHERE}")

    def speak(self, speak: Speak | None) -> None:
        """Refuse a function of text-to-speech; raises a `SessionError` unless it is None."""
        if speak is not None:
            raise _refused("is read aloud by the page", f"Switch the voice on there, or {ELSEWHERE}")

    def _ask(self, action: EngineAction) -> None:
        self.presenter.tell(EngineControl(self.presenter.owner, action))

    # From the browser ------------------------------------------------------------------------------------------------

    def _take(self, message: messages.Message) -> None:
        parts = self.presenter
        match message:
            case EngineEvents():
                self._events(message)
            case EngineChunk():
                self._chunk(message)
            case EngineBegin():
                self._begin(message)
            case EngineFile():
                parts.put(*outgoing.engine_part(message, *self._files.part(message), self._binary))
            case messages.Hello():
                if self._speaks_our_protocol(message):
                    parts.welcome(message)
            case messages.MicState():
                parts.microphone(message)
            case messages.Set():
                self._set(message)
            case messages.Poll():
                parts.outbox.flush()
            case recording_messages.Save():
                self._save(message)
            case recording_messages.Part():
                self._saver.part(message, binary=self._binary)
            case recording_messages.Release():
                self._saver.release(message)
            case _:
                kind = type(message).__name__
                raise MessageError(
                    f'This widget\'s session runs in its page (engine="page"); the kernel takes no {kind}.'
                )

    def _change_for(self, changes: Mapping[str, Any]) -> None:
        """Take over settings that the page has in effect, or that Python asks it for."""
        session, live = parted(changes)
        with self.changing:
            settings, lively = self.presenter.settings.changed(**session), self.presenter.live.changed(**live)
            model = self.presenter.source.loaded
            if model is not None:
                model.framing(settings)
            self.presenter.adopt(settings, lively)

    def _begin(self, message: EngineBegin) -> None:
        parts, before = self.presenter, self.presenter.session
        if before is None or not before.is_of(message):
            model = parts.source.loaded
            if model is None or not self._begins.spend():
                parts.tell(_nothing(message, NOT_LOADED if model is None else TOO_MANY))
                return
            try:
                session = PageSession(model, message, self._record())
            except AiWidgetsError as error:
                parts.tell(_nothing(message, str(error), refused=True))
                return
            parts.begin(session)
            if before is not None and before.page != message.page:
                parts.tell(EngineElsewhere(before.page))
        self._acknowledge(message)

    def _events(self, message: EngineEvents) -> None:
        session = self._owned(message)
        if session is None:
            return
        before, refused = session.in_effect, session.refused
        session.take_events(message)
        changed = {name: value for name, value in session.in_effect.items() if before[name] != value}
        if changed:
            self._change_for(changed)
        if session.refused and not refused:
            logger.warning("%s", session.refused)
        self.presenter.arrived(message)
        self._acknowledge(message)

    def _chunk(self, message: EngineChunk) -> None:
        session = self._owned(message)
        if session is not None:
            session.take_chunk(message)
            self.presenter.arrived()
            self._acknowledge(message)

    def _owned(self, message: EngineEvents | EngineChunk) -> PageSession | None:
        """Return the session that a message is about; tell the page where it is none."""
        session = self.presenter.session
        if session is not None and session.is_of(message):
            return session
        if session is not None and session.page != message.page:
            self.presenter.tell(EngineElsewhere(message.page))
        else:
            self.presenter.tell(_nothing(message, ""))
        return None

    def _acknowledge(self, message: EngineBegin | EngineEvents | EngineChunk) -> None:
        session = self.presenter.session
        if session is not None and session.is_of(message):
            self.presenter.tell(session.taken)

    def _save(self, message: recording_messages.Save) -> None:
        try:
            self._jobs.check_free()
            if not len(self.record):
                raise SessionError("There is nothing to save yet; record something first.")
        except SessionError as error:
            self._saver.refuse(message, str(error))
        else:
            self._saver.save(self.record, message)


def _nothing(
    message: EngineBegin | EngineEvents | EngineChunk,
    problem: str,
    *,
    refused: bool = False,
) -> EngineTaken:
    """Return the answer that the kernel does not have a session."""
    return EngineTaken(message.page, message.session, False, 0, 0, problem, refused)


def _refused(what: str, instead: str) -> SessionError:
    return SessionError(f'This widget\'s session runs in its page (engine="page") and {what}. {instead}.')
