"""Number of torch's intra-op threads, set for the calling thread alone.

`torch.set_num_threads` stores the number per process, and every thread adopts it at its first operation: a thread that
starts while a small model computes would keep one thread permanently. OpenMP and MKL, which run torch's operations,
each have a setting per calling thread; this module sets those.

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
"""Library of torch that exports the functions, by platform. On Windows a library does not export the functions it links
to, so that OpenMP's own library is named."""


@dataclass(frozen=True)
class _Native:
    """Functions of OpenMP and MKL.

    Attributes
    ----------
    get, set
        Get or set OpenMP's number of threads for the calling thread.
    set_mkl
        Set MKL's number and return the previous one (0: MKL follows OpenMP); None if torch has no MKL.
    """

    get: Callable[[], int]
    set: Callable[[int], object]
    set_mkl: Callable[[int], int] | None


@cache
def _native() -> _Native | None:
    """Load the functions; None if torch does not follow them (built without OpenMP, an unknown platform)."""
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

    # On a separate thread, so that the probe has no lasting effect.
    thread = Thread(target=probe, name="ai_widgets OpenMP probe")
    thread.start()
    thread.join()
    if obeyed != [True]:
        logger.info("Small models use torch's own number of threads: this torch does not follow %s.", path.name)
        return None
    return found


@contextmanager
def intra_op_threads(count: int | None) -> Iterator[None]:
    """Run a block with `count` intra-op threads in the calling thread; other threads, also new ones, are not affected.

    Parameters
    ----------
    count
        Number of threads; None changes nothing. A torch build without per-thread settings also changes nothing.
    """
    # The first `get_num_threads` of a thread makes torch initialise that thread, which would undo an earlier setting.
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
