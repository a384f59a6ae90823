"""Processes that hear files beside that of the command, for a small model, whose passes one thread computes.

Each process imports torch (1 s) and loads the model. `workers_early` therefore starts them before the command imports
torch itself, if the options show that they will be needed, so that all of them start at the same time; this module
imports nothing that imports torch.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from ..audio.folders import expand_paths
from ..errors import AiWidgetsError, ChildError

if TYPE_CHECKING:
    from ..session.listening import ListeningModel
    from .run_separately import Hearing

FILES_PER_PROCESS = 64
"""Files for each process by default: fewer take less time than the start of the process (2 s)."""
SMALL_FOLDER = 100_000_000
"""Size in bytes of a checkpoint whose processes start early: 50 million parameters in 16 bits, the most for which one
thread computes a pass (`model.placement.SMALL`)."""
MALLOC_TRIM, MALLOC_MAP = -1, -3
"""Parameters of glibc's `mallopt`: the size of free memory, and of one allocation, from which on the system gets it
back (`malloc.h`)."""
MALLOC_KEPT = 1 << 27
"""Value of both, in bytes: more than all intermediate results of a pass of a small model."""

Lines = list[dict[str, Any]]
"""Lines of one file, the one that completes it last."""


def default_processes(files: int) -> int:
    """Return the number of processes, that of the command included, for a small model and a number of files."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, files // FILES_PER_PROCESS))


def given_model(given: argparse.Namespace) -> argparse.Namespace:
    """Return the options that say which model to load, which a worker process can be sent."""
    names = ("checkpoint", "policy", "device", "dtype", "revision", "quantize")
    return argparse.Namespace(**{name: getattr(given, name) for name in names})


class Workers:
    """Worker processes; they start at once, and each loads the model.

    Parameters
    ----------
    count
        Number of processes.
    model
        Options that say which model to load.

    Attributes
    ----------
    count
        As given.
    """

    def __init__(self, count: int, model: argparse.Namespace) -> None:
        self.count = count
        # Not forked: threads of torch and of the progress bar do not survive a fork.
        context = multiprocessing.get_context("spawn")
        others = set(multiprocessing.active_children())
        self._pool = ProcessPoolExecutor(count, context, _begin, (model,))
        # A process starts where a task finds none idle.
        for _ in range(count):
            self._pool.submit(int)
        self._processes = set(multiprocessing.active_children()) - others

    def hear(self, hearing: Hearing, paths: Sequence[Path]) -> Future[list[Lines]]:
        """Let a process hear files, and return the future lines of each."""
        return self._pool.submit(_hear, hearing, paths)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes at once, also those that are hearing; the modules of torch take long to unload."""
        for process in self._processes:
            process.terminate()
        self._pool.shutdown(cancel_futures=True)


def workers_early(given: argparse.Namespace) -> AbstractContextManager[Workers | None]:
    """Start worker processes for a block if `run` with these options will need them, else give None.

    They are needed for many files and a small model. Whether a checkpoint is small is known only from its files here;
    the command starts workers itself for one that is not in a folder.
    """
    count = _needed(given)
    return Workers(count, given_model(given)) if count else nullcontext()


def _needed(given: argparse.Namespace) -> int:
    """Return the number of worker processes that a small model will need beside the command's; 0 if it is not small."""
    if not given.separate or given.ray is not None or given.policy is not None or given.device not in ("auto", "cpu"):
        return 0
    if given.checkpoint != "tiny" and not _is_small(Path(given.checkpoint)):
        return 0
    if given.workers is not None:
        return max(0, int(given.workers) - 1)
    try:
        return default_processes(len(expand_paths(given.audio, lambda _: None))) - 1
    except AiWidgetsError:
        # The command reports it.
        return 0


def _is_small(folder: Path) -> bool:
    return folder.is_dir() and sum(path.stat().st_size for path in folder.iterdir()) <= SMALL_FOLDER


@contextmanager
def many_passes() -> Iterator[None]:
    """Prepare Python's and C's memory management of this process for a block of many wide passes.

    The garbage collector would walk through the modules of torch again and again: 6 % of the time of a file. glibc
    would return the intermediate results of a pass, some hundred kB each, to the system and fetch them again: 10 to
    20 % of a pass of 32 sessions.
    """
    with suppress(OSError, AttributeError):
        # Where the C library has it (glibc), `mallopt` holds until the process ends.
        allocator = ctypes.CDLL(None)
        for parameter in (MALLOC_TRIM, MALLOC_MAP):
            allocator.mallopt(parameter, MALLOC_KEPT)
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def importing() -> Iterator[None]:
    """Import many modules in a block without garbage collection, which takes 0.15 s of a second and finds nothing."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


_model: ListeningModel | None = None
"""Model of a worker process; None in any other process."""
_prepared = ExitStack()
"""Preparation of a worker process, until it ends."""


def _begin(given: argparse.Namespace) -> None:
    """Load the model in a worker process."""
    global _model
    # Ctrl-C goes to all processes of the terminal: a worker ends at once, and the command reports it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with importing():
        from .run import listener

    # In place of the semaphore between processes that tqdm would create, and that a killed process would leave behind.
    tqdm.set_lock(RLock())
    _model = listener(given)
    _prepared.enter_context(many_passes())


def _hear(hearing: Hearing, paths: Sequence[Path]) -> list[Lines]:
    """Hear the files of one task in a worker process."""
    if _model is None:
        raise ChildError("This process was not prepared as a worker.")
    return list(hearing.lines(_model, paths))
