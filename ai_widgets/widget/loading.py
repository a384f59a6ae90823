"""Load the widget's model on a separate thread, so that the widget is displayed at once and shows the progress."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Condition, current_thread
from time import monotonic
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable
from urllib.parse import urlsplit

from ..errors import SessionError, SettingError
from ..model.importing import collector_paused
from ..process_exit import PipelineThread, stop_at_exit
from ..settings import Settings
from .remote.address import checked_address, checked_token, is_address
from .wire.failures import forget_frames

if TYPE_CHECKING:
    import torch

    from ..model.hub import Progress
    from ..session.listening import ListeningModel

TELL_SECONDS = 0.25
"""Least seconds between two progress reports: four updates a second look continuous."""
GLANCE_SECONDS = 0.5
"""Seconds between two wake-ups of a waiting thread: on some systems a blocking wait for a lock ignores Ctrl-C."""


@runtime_checkable
class Leaving(Protocol):
    """Model that holds something of another process, which closing its widget gives back."""

    def close(self) -> None:
        """Give it back."""


Status = Literal["loading", "ready", "failed"]


class LoadingStopped(BaseException):
    """The exception that ends loading; raised by the progress callback of a closed source.

    Not an `Exception`, so that readers and downloads do not turn it into an error of their own.
    """


class ModelReleasedError(SessionError):
    """A request for the model of a source that was stopped."""


class ModelSource:
    """A model that is loaded or loading.

    Parameters
    ----------
    load
        Returns the model; called once, on the loading thread, with a callback for bytes done and total bytes.
    changed
        Called on the loading thread when progress or status changed.

    Attributes
    ----------
    progress
        Bytes done and total bytes, or None where they are unknown.
    status
        `loading`, `ready` or `failed`; a closed source keeps its last status.
    failure
        Error that loading raised, or None.
    """

    def __init__(self, load: Callable[[Progress], ListeningModel], changed: Callable[[], None]) -> None:
        self._load: Callable[[Progress], ListeningModel] | None = load
        self._tell: Callable[[], None] | None = changed
        self._told = 0.0
        self._settled = Condition()
        self._model: ListeningModel | None = None
        self._closed = False
        self._thread: PipelineThread | None = None
        self.progress: tuple[int, int] | None = None
        self.status: Status = "loading"
        self.failure: Exception | None = None

    def start(self) -> None:
        """Start the loading thread; returns at once."""
        self._thread = PipelineThread(self._run, "ai_widgets load")
        stop_at_exit(self)
        self._thread.start()

    def _run(self) -> None:
        load = self._load
        if load is None:
            return
        model: ListeningModel | None = None
        failure: Exception | None = None
        try:
            model = load(self._advanced)
        except LoadingStopped:
            return
        except Exception as error:  # noqa: BLE001 - raised to every caller that requests the model, and shown in the widget
            # The frames of the traceback would keep the weights read so far alive.
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

    def wait(self, timeout: float | None = None) -> ListeningModel:
        """Return the model once it is loaded.

        Raises
        ------
        Exception
            The error that loading raised.
        ModelReleasedError
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
                raise ModelReleasedError("This widget is closed and its model released; make a new widget to continue.")
            return self._model

    @property
    def loaded(self) -> ListeningModel | None:
        """The model, or None where it is not loaded or was released."""
        return self._model

    def stop(self) -> None:
        """Cancel loading at its next progress report, and release the model. Returns at once."""
        with self._settled:
            self._closed = True
            model: object = self._model
            self._model = self._load = self._tell = None
            self._settled.notify_all()
        if isinstance(model, Leaving):
            model.close()

    def join(self, timeout: float) -> None:
        """Wait at most `timeout` seconds for the loading thread to end."""
        thread = self._thread
        if thread is not None and thread.ident is not None and thread is not current_thread():
            thread.join(timeout)


def loader(
    model: str | Path | ListeningModel,
    device: str | torch.device,
    dtype: str | torch.dtype,
    revision: str | None,
    token: str | None = None,
) -> Callable[[Progress], ListeningModel]:
    """Return a function that loads the checkpoint of a widget's argument, or returns a given model or policy.

    The address of a class server is checked at once, together with its token; the function connects to it.
    """
    if not isinstance(model, (str, Path)):
        return lambda _: model
    if is_address(model):
        return partial(_connect, checked_address(str(model)), checked_token(token))
    if token is not None:
        raise SettingError("token belongs to the address of a class server, wss://…; the hub has its own.", ("token",))

    def load(progress: Progress) -> ListeningModel:
        with collector_paused():
            from ..inference import load_model

        return load_model(model, device, dtype, revision, progress=progress)

    return load


def _connect(address: str, token: str, _: Progress) -> ListeningModel:
    from .remote.remote_model import RemoteModel

    return RemoteModel(address, token)


def given_name(model: str | Path | ListeningModel, settings: Settings) -> str:
    """Return the name of a widget's model; check the settings already if it is a loaded model or a policy.

    Raises
    ------
    SettingError
        If `model` is none of the allowed kinds, or does not support the settings.
    """
    if is_address(model):
        return urlsplit(checked_address(str(model))).netloc
    if isinstance(model, (str, Path)):
        return str(model)
    if not hasattr(model, "take_turns"):
        raise SettingError(
            f"model must be a name such as 'tiny', a folder, a hub id, a Model of load_model, or a policy such as "
            f"ai_widgets.policies.Silero(), not {model!r:.80}."
        )
    if model.language is None:
        model.framing(settings)
    return model.name
