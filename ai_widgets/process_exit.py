"""Orderly process exit: computing threads are stopped and joined before the interpreter is finalized.

A daemon thread that is inside torch when the interpreter is finalized aborts the process ("terminate called without an
active exception"): the interpreter ends the thread when the thread next requests the GIL, which unwinds the stack
through C++ code that does not permit unwinding. Therefore every pipeline registers here. When the main thread ends, all
pipelines are stopped and joined. A caller's daemon thread inside a computation is waited for, then blocked before its
next computation.
"""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401 - first: hooks run in reverse order, so ours runs before its own
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Protocol
from weakref import WeakSet

logger = logging.getLogger(__name__)

JOIN_SECONDS = 60.0
"""Seconds to wait at exit for the work in progress: long enough for an import of torch, a forward pass or a file
read on a slow machine."""


class Pipeline(Protocol):
    """Object that runs its work on its own threads."""

    def stop(self) -> None:
        """Request the threads to end after the work in progress, without waiting."""

    def join(self, timeout: float) -> None:
        """Wait until the threads have ended, at most `timeout` seconds."""


class PipelineThread(threading.Thread):
    """Daemon thread that its pipeline stops and joins at process exit."""

    def __init__(self, target: Callable[[], object], name: str) -> None:
        super().__init__(target=target, name=name, daemon=True)


class _Exit:
    """State of the process exit, and the pipelines to stop first."""

    def __init__(self) -> None:
        self.pipelines: WeakSet[Any] = WeakSet()
        self.changed = threading.Condition()
        self.begun = False
        self.computing = 0
        self.depth = threading.local()
        self.process = os.getpid()

    def run(self) -> None:
        """Stop and join all registered pipelines. Called on the main thread after its last statement."""
        if os.getpid() != self.process:
            # A forked child has none of its parent's threads.
            return
        end = monotonic() + JOIN_SECONDS
        with self.changed:
            self.begun = True
            pipelines = list(self.pipelines)
        for pipeline in pipelines:
            pipeline.stop()
        for pipeline in pipelines:
            pipeline.join(max(0.0, end - monotonic()))
        with self.changed:
            if not self.changed.wait_for(lambda: not self.computing, max(0.0, end - monotonic())):
                logger.warning(
                    "A daemon thread is still computing %.0f s after the process began to exit: the wait ends here.",
                    JOIN_SECONDS,
                )


_exit = _Exit()


def stop_at_exit(pipeline: Pipeline) -> None:
    """Register a pipeline to be stopped and joined at process exit. The registration is a weak reference."""
    with _exit.changed:
        _exit.pipelines.add(pipeline)


@contextmanager
def computation() -> Iterator[None]:
    """Run a block that calls torch, and delay process exit until the block ends.

    A daemon thread that enters the block after the exit began is blocked permanently. Other threads need no delay:
    Python waits for threads that are not daemons, and a pipeline joins its own threads.
    """
    thread = threading.current_thread()
    depth = getattr(_exit.depth, "value", 0)
    if depth or not thread.daemon or isinstance(thread, PipelineThread):
        yield
        return
    with _exit.changed:
        while _exit.begun:
            _exit.changed.wait()
        _exit.computing += 1
    _exit.depth.value = 1
    try:
        yield
    finally:
        _exit.depth.value = 0
        with _exit.changed:
            _exit.computing -= 1
            _exit.changed.notify_all()


def hold_at_exit() -> None:
    """Block the calling daemon thread permanently if process exit has begun. Call between steps of a computation."""
    if not _exit.begun or not getattr(_exit.depth, "value", 0):
        return
    with _exit.changed:
        _exit.computing -= 1
        _exit.changed.notify_all()
        while True:
            _exit.changed.wait()


# threading's hooks run when the main thread has ended, before executors wait for their downloads; concurrent.futures
# stops its threads in the same hooks. The function is not public, so `atexit.register`, which runs later, is the
# fallback.
_register = getattr(threading, "_register_atexit", atexit.register)
_register(_exit.run)
