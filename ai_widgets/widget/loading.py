"""Loads the widget's model on a thread of its own, so that the widget is there at once and says what it waits for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

from ..errors import SessionError

if TYPE_CHECKING:
    from ..inference import Model
    from ..model.checkpoint import LoadedModel
    from ..model.hub import Progress

logger = logging.getLogger(__name__)

TELL_SECONDS = 0.25
"""Least time between two words on how far loading is."""

Status = Literal["loading", "ready", "failed"]


class ModelSource:
    """A model that is loaded already, or is on its way.

    Parameters
    ----------
    load
        Returns the model; called once, on a thread, with whom to tell of the bytes that are done.
    changed
        Called when loading has come further or has ended, on that thread.

    Attributes
    ----------
    progress
        Bytes done and bytes in all, or None where nothing is known of them.
    """

    def __init__(self, load: Callable[[Progress], Model], changed: Callable[[], None]) -> None:
        self._load, self._changed = load, changed
        self.progress: tuple[int, int] | None = None
        self._told = 0.0
        self._future: Future[Model] = Future()
        self._closed: Future[None] = Future()

    def start(self) -> None:
        """Begin loading; returns at once."""
        Thread(target=self._run, name="ai_widgets load", daemon=True).start()

    def _run(self) -> None:
        try:
            self._future.set_result(self._load(self._advanced))
        except Exception as error:  # noqa: BLE001 - kept for whoever asks for the model, and shown in the widget
            self._future.set_exception(error)
        self._changed()

    def _advanced(self, done: int, total: int) -> None:
        self.progress = (done, total)
        if monotonic() - self._told >= TELL_SECONDS:
            self._told = monotonic()
            self._changed()

    def wait(self, timeout: float | None = None) -> Model:
        """The model, once it is there; raises what loading raised."""
        return self._future.result(timeout)

    def model(self) -> LoadedModel:
        """What sessions need of the model; waits for it, or until the source is closed."""
        either: list[Future[Any]] = [self._future, self._closed]
        wait(either, return_when=FIRST_COMPLETED)
        if not self._future.done():
            raise SessionError("The widget was closed while its model was loading.")
        return self._future.result().loaded

    def close(self) -> None:
        """Let nobody wait for the model any longer. Loading itself cannot be stopped; its thread ends by itself."""
        if not self._closed.done():
            self._closed.set_result(None)

    @property
    def status(self) -> Status:
        if not self._future.done():
            return "loading"
        return "ready" if self._future.exception() is None else "failed"

    @property
    def failure(self) -> Exception | None:
        """Why loading failed, or None."""
        error = self._future.exception() if self._future.done() else None
        return error if isinstance(error, Exception) else None
