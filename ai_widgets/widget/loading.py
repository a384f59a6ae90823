"""Loads the widget's model on a thread of its own, so that the widget is there at once and says how far loading is."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition, current_thread
from time import monotonic
from typing import TYPE_CHECKING, Literal

from ..errors import SessionError
from ..process_exit import PipelineThread, stop_at_exit
from .failures import forget_frames

if TYPE_CHECKING:
    from ..inference import Model
    from ..model.checkpoint import LoadedModel
    from ..model.hub import Progress

TELL_SECONDS = 0.25
"""Least seconds between two reports on how far loading is."""
GLANCE_SECONDS = 0.5
"""A waiting thread looks up so often: on some systems a lock that is waited for cannot be interrupted."""

Status = Literal["loading", "ready", "failed"]


class LoadingStopped(BaseException):
    """Raised by the progress report of a source that was closed, to end the loading.

    Not an `Exception`: readers and downloads that turn an exception into one of their own must not report it.
    """


class ModelSource:
    """A model that is loaded already, or is being loaded.

    Parameters
    ----------
    load
        Returns the model; called once, on a thread, with the function that takes the bytes done and the bytes in all.
    changed
        Called when loading has come further or has ended, on that thread.

    Attributes
    ----------
    progress
        Bytes done and bytes in all, or None where nothing is known of them.
    status
        `loading`, `ready` or `failed`; of a closed source, what it was when it was closed.
    failure
        Why loading failed, or None.
    """

    def __init__(self, load: Callable[[Progress], Model], changed: Callable[[], None]) -> None:
        self._load: Callable[[Progress], Model] | None = load
        self._tell: Callable[[], None] | None = changed
        self._told = 0.0
        self._settled = Condition()
        self._model: Model | None = None
        self._closed = False
        self._thread: PipelineThread | None = None
        self.progress: tuple[int, int] | None = None
        self.status: Status = "loading"
        self.failure: Exception | None = None

    def start(self) -> None:
        """Begin loading; returns at once."""
        self._thread = PipelineThread(self._run, "ai_widgets load")
        stop_at_exit(self)
        self._thread.start()

    def _run(self) -> None:
        load = self._load
        if load is None:
            return
        model: Model | None = None
        failure: Exception | None = None
        try:
            model = load(self._advanced)
        except LoadingStopped:
            return
        except Exception as error:  # noqa: BLE001 - kept for every caller who asks for the model, and shown in the widget
            # The frames of a loading that failed hold the weights that were read.
            forget_frames(error)
            failure = error
        with self._settled:
            if self._closed:
                return
            self._model, self.failure = model, failure
            self.status = "ready" if failure is None else "failed"
            self._settled.notify_all()
        self._changed()

    def _changed(self) -> None:
        tell = self._tell
        if tell is not None:
            tell()

    def _advanced(self, done: int, total: int) -> None:
        if self._closed:
            raise LoadingStopped
        self.progress = (done, total)
        if monotonic() - self._told >= TELL_SECONDS:
            self._told = monotonic()
            self._changed()

    def wait(self, timeout: float | None = None) -> Model:
        """Return the model once it is loaded.

        Raises
        ------
        Exception
            What loading raised.
        SessionError
            Where the source is closed.
        TimeoutError
            After `timeout` seconds.
        """
        end = None if timeout is None else monotonic() + timeout
        with self._settled:
            while self.status == "loading" and not self._closed:
                left = GLANCE_SECONDS if end is None else min(GLANCE_SECONDS, end - monotonic())
                if left <= 0:
                    raise TimeoutError(f"The model did not finish loading within {timeout:g} s.")
                self._settled.wait(left)
            if self.failure is not None:
                raise self.failure
            if self._model is None:
                raise SessionError("This widget is closed and its model released; make a new widget to continue.")
            return self._model

    def model(self) -> LoadedModel:
        """Return what sessions need of the model, once it is loaded; raises as `wait` does."""
        return self.wait().loaded

    @property
    def loaded(self) -> LoadedModel | None:
        """What sessions need of the model, or None where it is not loaded or is released."""
        model = self._model
        return None if model is None else model.loaded

    def stop(self) -> None:
        """End the loading at its next progress report, and release the model. Returns at once."""
        with self._settled:
            self._closed = True
            self._model = self._load = self._tell = None
            self._settled.notify_all()

    def join(self, timeout: float) -> None:
        """Wait for the loading to end."""
        thread = self._thread
        if thread is not None and thread.ident is not None and thread is not current_thread():
            thread.join(timeout)
