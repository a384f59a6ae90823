"""Sharing of loaded weights: the same checkpoint is in memory once, and concurrent loads of it run in turn.

A model is identified by its files (names, sizes, modification times, inodes), so that a changed folder is read again.
Only weak references are kept: the weights are freed when no model, session or widget refers to them.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Lock
from typing import Any, Generic, Protocol, TypeVar

import torch

from ..errors import NotEnoughMemoryError, SettingError
from .configuration import files_of
from .hub import Progress, Reports
from .machine import Machine, look, with_free
from .placement import Need, Placement, choose

GLANCE_SECONDS = 0.25
"""Interval, in seconds, at which a load that waits for another load of the same files reports the other's progress; the
callback may cancel the wait."""


class Shareable(Protocol):
    """Model whose weights several names of the same files may share."""

    @property
    def name(self) -> str:
        """Name as given to the loader."""

    @property
    def revision(self) -> str | None:
        """Commit of the hub repository; None for a local folder."""

    @property
    def placement(self) -> Placement:
        """Device and number format."""

    def renamed(self, name: str, revision: str | None) -> Any:
        """Return the model with the same weights under another name."""


M = TypeVar("M", bound=Shareable)


class Turns:
    """Locks by key that report the holder's progress to the callers that wait."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._running: dict[Hashable, Reports] = {}

    @contextmanager
    def take(self, key: Hashable, progress: Progress | None) -> Iterator[Reports]:
        """Acquire the key for a block, waiting until it is free.

        During the wait, `progress` receives the reports of the holder; an exception from `progress` ends the wait and
        is raised again.
        """
        reports = Reports(progress)
        try:
            while (other := self._begin(key, reports)) is not None:
                if other.newest is not None:
                    reports(*other.newest)
            yield reports
        finally:
            with self._changed:
                if self._running.get(key) is reports:
                    del self._running[key]
                    self._changed.notify_all()

    def _begin(self, key: Hashable, reports: Reports) -> Reports | None:
        """Acquire the key and return None, or return the holder's reports after a short wait."""
        with self._changed:
            other = self._running.get(key)
            if other is not None:
                self._changed.wait(GLANCE_SECONDS)
                other = self._running.get(key)
            if other is None:
                self._running[key] = reports
            return other


@dataclass(frozen=True)
class Request:
    """Parameters of a load, as given. `auto` is not resolved, because its result depends on the free memory."""

    device: str
    dtype: str
    quantize: str | None
    compiled: bool

    @staticmethod
    def of(device: str | torch.device, dtype: str | torch.dtype, quantize: str | None, compiled: bool) -> Request:
        """Build a request from the parameters of a load."""
        return Request(str(device), str(dtype).removeprefix("torch."), quantize, compiled)


@dataclass(frozen=True)
class _Use(Generic[M]):
    request: Request
    need: Need
    model: weakref.ref[M]


class ModelsInUse(Generic[M]):
    """Registry of the models in memory, by their files and requests."""

    def __init__(self) -> None:
        self._changing = Lock()
        self._uses: dict[Hashable, list[_Use[M]]] = {}

    def find(self, files: Hashable, request: Request, machine: Callable[[], Machine] = look) -> tuple[M, Need] | None:
        """Find a model in memory that a request would load again, and its memory need; None if there is none.

        A model matches if its request is equal, or if the request resolves to the model's placement. The request is
        resolved as if the model's weights were not in memory, so that the memory they occupy does not place a second
        copy on another device.
        """
        candidates = [(use, model) for use in self._uses.get(files, ()) if (model := use.model()) is not None]
        for use, model in candidates:
            if use.request == request:
                return model, use.need
        for use, model in candidates:
            held = model.placement
            if (request.quantize, request.compiled) != (held.quantize, use.request.compiled):
                continue
            without = with_free(machine(), held.device, use.need.weights(held.dtype, held.quantize))
            try:
                chosen = choose(request.device, request.dtype, request.quantize, use.need, without)
            except (NotEnoughMemoryError, SettingError):
                continue  # loading raises the same error
            if (chosen.device, chosen.dtype) == (held.device, held.dtype):
                return model, use.need
        return None

    def add(self, files: Hashable, request: Request, need: Need, model: M) -> None:
        """Register a model under a request; a model may have several requests. The reference is weak."""
        with self._changing:
            uses = {
                key: alive
                for key, held in self._uses.items()
                if (alive := [use for use in held if use.model() is not None])
            }
            uses[files] = [*uses.get(files, ()), _Use(request, need, weakref.ref(model))]
            self._uses = uses


def identity(folder: Path) -> Hashable:
    """Return a key of a folder's files: path, names, sizes, modification times and inodes."""
    stats = [(path.name, path.stat()) for path in files_of(folder)]
    return str(folder.resolve()), tuple((name, one.st_size, one.st_mtime_ns, one.st_ino) for name, one in stats)
