"""`Received`: what both channels do with the messages of pages: validate, pass on, answer what is refused."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from threading import RLock
from typing import TYPE_CHECKING, Any

from ...errors import AiWidgetsError, SettingError
from ...record.record import SessionRecord
from ..wire import messages, outgoing, parsing
from ..wire.limits import MAX_COUNT, PROTOCOL_VERSION
from ..wire.shown import Pulled, Shown
from .presenting import Presenting

if TYPE_CHECKING:
    from ...session.listening import ListeningModel

logger = logging.getLogger(__name__)

NO_BUFFERS = "This host drops the binary part of messages, so sound is sent as text, a third larger."
"""Notice to a page whose hello arrived without its buffer."""


class Received(ABC):
    """Validation of messages, on any thread and one at a time.

    Parameters
    ----------
    shown
        The widget that pages show.
    pull
        Whether pages poll for messages.
    """

    def __init__(self, shown: Shown, *, pull: bool) -> None:
        self._pulled = Pulled(shown) if pull else None
        self._shown = self._pulled or shown
        # Messages arrive on the main shell's thread or on the thread of a subshell, calls of Python on any thread.
        self._receive_lock = RLock()
        self._binary = False

    @property
    @abstractmethod
    def _answers(self) -> Presenting:
        """What answers pages."""

    @property
    def model(self) -> ListeningModel:
        """The model; waits until it is loaded, and exported for a page that runs it, and raises what that raised."""
        return self._answers.source.wait()

    @property
    def record(self) -> SessionRecord:
        """Record that is shown."""
        return self._answers.record

    @property
    def headline(self) -> str:
        """Name and state of the widget."""
        return self._answers.headline

    @abstractmethod
    def _take(self, message: messages.Message) -> None:
        """Pass a message on; an `AiWidgetsError` refuses it."""

    @abstractmethod
    def change(self, changes: Mapping[str, Any]) -> None:
        """Change settings by name, all or none, and show them."""

    def receive(self, content: object, buffers: Sequence[Any] = ()) -> None:
        """Validate and enqueue a message; a bad message is answered with a problem and never raises."""
        with self._receive_lock:
            try:
                self._take(parsing.parse(content, buffers))
            except AiWidgetsError as error:
                self._refuse(content, error)
        if self._pulled is not None:
            self._answers.outbox.flush()
            self._pulled.answer()

    def _speaks_our_protocol(self, hello: messages.Hello) -> bool:
        """Return whether a page has the kernel's protocol; note whether its buffers arrive, and tell it problems."""
        if hello.protocol != PROTOCOL_VERSION:
            sentence = (
                f"The page uses protocol {hello.protocol}, the kernel {PROTOCOL_VERSION}; reload the page "
                "and restart the kernel so that both come from one installation."
            )
            self._answers.problem("version", sentence, hello.page)
            return False
        self._binary = hello.binary and not self._answers.pull
        if not hello.binary:
            self._answers.problem("no_buffers", NO_BUFFERS, hello.page)
        return True

    def _set(self, message: messages.Set) -> None:
        try:
            self._change_for(message.changes)
        except AiWidgetsError as error:
            named = error.names if isinstance(error, SettingError) else ()
            names = [name for name in message.changes if name in named] or list(message.changes)
            self._answer_refused(str(error), names, message.request)
            # The page shows the requested values until it receives the current ones.
            self._shown.show_again("settings", "live")

    def _change_for(self, changes: Mapping[str, Any]) -> None:
        """Change settings that a page asks for."""
        self.change(changes)

    def _refuse(self, content: object, error: AiWidgetsError) -> None:
        """Report a message that was refused; a `set` message with a request number gets its answer."""
        request = content.get("request") if isinstance(content, Mapping) and content.get("type") == "set" else None
        if isinstance(request, int) and 0 < request <= MAX_COUNT:
            self._answer_refused(str(error), [], request)
        else:
            self._answers.problem("message", str(error))

    def _answer_refused(self, sentence: str, names: Sequence[str], request: int) -> None:
        """Answer a refused request, without the coalescing of `put_problem`: each request needs an answer."""
        logger.info("setting: %s", sentence)
        self._answers.put(outgoing.problem("setting", sentence, names=names, request=request))
