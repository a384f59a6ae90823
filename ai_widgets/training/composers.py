"""Compose batches in processes beside the training, for a GPU that is faster than one process composes.

Each process is a fork, which shares the clips' features with the process that trains, and draws contents of its own.
torch's `DataLoader` moves the batches through shared memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from multiprocessing import get_all_start_methods, get_context

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ai_widgets.errors import SettingError
from ai_widgets.training.batches import Batch
from ai_widgets.training.curriculum import Curriculum

MOST = 64
"""Processes that compose, at most; more is a mistake in the number."""
AHEAD = 6
"""Batches that each process composes ahead: the time of a batch varies by its kind."""


def check(processes: int) -> None:
    """Raise `SettingError` where the number is out of range, or the system cannot fork; 0 needs no process."""
    if not 0 <= processes <= MOST:
        raise SettingError(f"--composers must be from 0 to {MOST}, not {processes}.")
    if processes and "fork" not in get_all_start_methods():
        raise SettingError("This system cannot fork processes; train with --composers 0.")


class _Batches(IterableDataset[Batch]):
    """The batches of a curriculum at the share of the training that is done, which the processes read."""

    def __init__(self, curriculum: Curriculum, step: int) -> None:
        self.curriculum, self.step = curriculum, step
        self.share = get_context("fork").Value("d", 0.0)

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        self.curriculum.go_on(self.step, 0 if worker is None else worker.id)
        while True:
            yield self.curriculum.draw(self.share.value).halved()


def draw_apart(curriculum: Curriculum, processes: int, step: int, device: torch.device) -> Callable[[float], Batch]:
    """Start the processes and return the function that takes the next batch at a share of the training.

    The processes end with the returned function.

    Parameters
    ----------
    curriculum
        Source of the batches; the one of this process is not advanced.
    processes
        Processes that compose, at least 1 (`check`).
    step
        Step of the training at which it is begun or resumed, so that no batch is composed twice.
    device
        Device of the training.
    """
    batches = _Batches(curriculum, step)
    loader: DataLoader[Batch] = DataLoader(
        batches,
        batch_size=None,
        num_workers=processes,
        prefetch_factor=AHEAD,
        pin_memory=device.type == "cuda",
        multiprocessing_context="fork",
    )
    composed = iter(loader)

    def draw(share: float) -> Batch:
        batches.share.value = share
        batch: Batch = next(composed)
        return batch

    return draw
