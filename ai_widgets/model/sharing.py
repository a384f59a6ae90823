"""Models that are in use, and whose turn it is to load one: the same weights are in memory once.

A model is known by its files (their names, sizes, times and places on the disk), so that a folder that has changed is
read anew. Only weak references are kept: weights are freed as soon as no model, session or widget uses them.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Lock
from typing import TYPE_CHECKING

import torch

from ..errors import NotEnoughMemoryError, SettingError
from .configuration import files_of
from .hub import Progress, Reports
from .machine import Machine, look, with_free
from .placement import Need, choose

if TYPE_CHECKING:
    from .checkpoint import LoadedModel

GLANCE_SECONDS = 0.25
"""How often a load that waits for another one of the same files tells of its progress, which may cancel it."""


class Turns:
    """One caller at a time for each key; the next begins whatever became of the one before."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._running: dict[Hashable, Reports] = {}

    @contextmanager
    def take(self, key: Hashable, progress: Progress | None) -> Iterator[Reports]:
        """Wait for the key to be free, and hold it for the block.

        While it waits, `progress` is told of the other's reports; what it raises ends the waiting.
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
        """Take the key, or return who holds it after a short wait."""
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
    """How a model was asked for, as words: `auto` is a request of its own, since memory decides what becomes of it."""

    device: str
    dtype: str
    quantize: str | None
    compiled: bool

    @staticmethod
    def of(device: str | torch.device, dtype: str | torch.dtype, quantize: str | None, compiled: bool) -> Request:
        return Request(str(device), str(dtype).removeprefix("torch."), quantize, compiled)


@dataclass(frozen=True)
class _Use:
    request: Request
    need: Need
    model: weakref.ref[LoadedModel]


class ModelsInUse:
    """Models that are in memory, by their files and by how they were asked for."""

    def __init__(self) -> None:
        self._changing = Lock()
        self._uses: dict[Hashable, list[_Use]] = {}

    def find(
        self, files: Hashable, request: Request, machine: Callable[[], Machine] = look
    ) -> tuple[LoadedModel, Need] | None:
        """A model that this request would load once more, with what it occupies; or None.

        It is one that was asked for in the same words, or one that these words lead to: they are resolved as if its
        weights were not in memory yet, since the memory that they take must not send a second copy elsewhere.
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
                continue  # loading says so
            if (chosen.device, chosen.dtype) == (held.device, held.dtype):
                return model, use.need
        return None

    def add(self, files: Hashable, request: Request, need: Need, model: LoadedModel) -> None:
        """Remember a model for as long as it is used, under one more request where it is known already."""
        with self._changing:
            uses = {
                key: alive
                for key, held in self._uses.items()
                if (alive := [use for use in held if use.model() is not None])
            }
            uses[files] = [*uses.get(files, ()), _Use(request, need, weakref.ref(model))]
            self._uses = uses


def identity(folder: Path) -> Hashable:
    """What tells a folder's present files from all others: where they are, how large and how old."""
    stats = [(path.name, path.stat()) for path in files_of(folder)]
    return str(folder.resolve()), tuple((name, one.st_size, one.st_mtime_ns, one.st_ino) for name, one in stats)
