"""Heavy imports, a little faster."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector around a large import.

    torch makes hundreds of thousands of objects that last; searching them for garbage meanwhile costs a tenth of the
    time until the first decision.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
