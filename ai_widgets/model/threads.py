"""How many threads torch uses inside one operation, set for the calling thread alone.

`torch.set_num_threads` keeps its number in a variable of the process, and every thread takes it over at its first
operation: a thread that starts while a small model computes would stay at one thread for good. OpenMP and MKL, which do
torch's work below, each have a setting of the calling thread; that is what is set here.

Source: `aten/src/ATen/ParallelOpenMP.cpp` of torch; OpenMP 5.0, 3.2.1 (the setting belongs to the calling task).
"""

from __future__ import annotations

import ctypes
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Thread

import torch

logger = logging.getLogger(__name__)

LIBRARIES = {"linux": "libtorch_cpu.so", "darwin": "libtorch_cpu.dylib", "win32": "libiomp5md.dll"}
"""In which of torch's own libraries the functions are found; on Windows a library does not show those it is linked
with, so OpenMP's is named itself."""


@dataclass(frozen=True)
class _Native:
    """Functions of the libraries that torch computes with.

    Attributes
    ----------
    get, set
        OpenMP's number of threads for the calling thread.
    set_mkl
        The same for MKL, which returns the number before (0: it follows OpenMP); None where torch has no MKL.
    """

    get: Callable[[], int]
    set: Callable[[int], object]
    set_mkl: Callable[[int], int] | None


@cache
def _native() -> _Native | None:
    """Find the functions, or None where torch does not obey them (built without OpenMP, an unknown system)."""
    path = Path(torch.__file__).parent / "lib" / LIBRARIES.get(sys.platform, "")
    try:
        library = ctypes.CDLL(str(path))
        found = _Native(
            library.omp_get_max_threads,
            library.omp_set_num_threads,
            getattr(library, "MKL_Set_Num_Threads_Local", None),
        )
    except (OSError, AttributeError) as error:
        logger.info("Small models use torch's own number of threads: %s.", error)
        return None
    obeyed: list[bool] = []

    def probe() -> None:
        count = torch.get_num_threads() + 1
        found.set(count)
        obeyed.append(torch.get_num_threads() == count)

    # On a thread of its own, so that the probe changes nothing that lasts.
    thread = Thread(target=probe, name="ai_widgets OpenMP probe")
    thread.start()
    thread.join()
    if obeyed != [True]:
        logger.info("Small models use torch's own number of threads: this torch does not follow %s.", path.name)
        return None
    return found


@contextmanager
def intra_op_threads(count: int | None) -> Iterator[None]:
    """Run a block with `count` torch threads inside an operation. All other threads, new ones too, keep their number.

    Parameters
    ----------
    count
        None leaves everything as it is. So does a torch whose threads cannot be set for one thread alone.
    """
    # The first question of a thread makes torch set that thread up, which would undo a number that was set before.
    if count is None or count == torch.get_num_threads() or (native := _native()) is None:
        yield
        return
    before = native.get()
    native.set(count)
    mkl_before = native.set_mkl(count) if native.set_mkl is not None else 0
    try:
        yield
    finally:
        native.set(before)
        if native.set_mkl is not None:
            native.set_mkl(mkl_before)
