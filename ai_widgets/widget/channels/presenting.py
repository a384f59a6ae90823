"""`Presenting`: what presenters have in common, wherever the session runs: headline, saved history, and messages."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from ...record.record import SessionRecord
from ..loading import ModelSource
from ..wire.messages import MicState
from ..wire.outbox import Outbox
from ..wire.shown import Shown

logger = logging.getLogger(__name__)


class Presenting(ABC):
    """Base of a presenter.

    Parameters
    ----------
    shown
        The widget.
    name
        Name of the model, as the widget was given it.
    pull
        Whether pages poll for messages, for hosts that show nothing sent by a background thread.

    Attributes
    ----------
    source, outbox
        The model's loader, and the queue of messages to pages; a subclass makes both.
    mic
        State of the microphone, as the page that records reported it last.
    closed
        Whether the widget was closed.
    pushing
        Whether messages are sent at once in pull mode too, because a cell runs.
    """

    source: ModelSource
    outbox: Outbox

    def __init__(self, shown: Shown, name: str, pull: bool) -> None:
        self._shown, self._name, self.pull = shown, name, pull
        self.mic = MicState("idle", "", "")
        self.closed = self.pushing = False

    @property
    @abstractmethod
    def state(self) -> str:
        """What the widget does now, in one word: the values of the trait `state`."""

    @property
    @abstractmethod
    def record(self) -> SessionRecord:
        """The record that is shown."""

    @property
    def headline(self) -> str:
        """Name and state of the widget: the model's state until it is ready, then the session's."""
        state = self.state if self.source.status == "ready" else f"model {self.source.status}"
        return f"AudioInteraction {self._name}: {'closed' if self.closed else state}"

    def put(self, message: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        """Queue a message to the pages, and send it at once except in pull mode."""
        self.outbox.put(message, buffers)
        self._flush()

    def problem(self, code: str, sentence: str, page: str = "", detail: str = "") -> None:
        """Send a problem to a page, or to all; repeats are counted."""
        logger.info("%s: %s", code, sentence)
        self.outbox.put_problem(code, sentence, detail, page)
        self._flush()

    def _flush(self) -> None:
        if not self.pull or self.pushing:
            self.outbox.flush()

    def _show_history(self, history: dict[str, Any], settled: bool) -> None:
        self._shown.show("history", history)
        if settled:
            self._save()

    def _save(self) -> None:
        self._shown.save(self.headline, self.record)
