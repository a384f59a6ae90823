"""The end of the process: computing threads are stopped and joined before the interpreter is taken down.

A daemon thread that is inside torch when the interpreter is finalized aborts the process ("terminate called without an
active exception"): the interpreter ends the thread when it next asks for the lock, and that unwinds through C++ code
which allows no unwinding. So every pipeline registers here. When the main thread ends, all of them are told to stop
and then joined; a daemon thread of the caller's that computes is waited for, and held before its next computation.
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
"""Seconds to wait for the work in progress when the process ends: an import of torch, a forward pass, a file read."""


class Pipeline(Protocol):
    """Something that runs on threads of its own."""

    def stop(self) -> None:
        """Make the threads end after the work in progress; return at once."""

    def join(self, timeout: float) -> None:
        """Wait for the threads to end."""


class PipelineThread(threading.Thread):
    """A daemon thread that its pipeline stops and joins when the process ends."""

    def __init__(self, target: Callable[[], object], name: str) -> None:
        super().__init__(target=target, name=name, daemon=True)


class _Exit:
    """The state of the process's end, and who must be stopped before it."""

    def __init__(self) -> None:
        self.pipelines: WeakSet[Any] = WeakSet()
        self.changed = threading.Condition()
        self.begun = False
        self.computing = 0
        self.depth = threading.local()
        self.process = os.getpid()

    def run(self) -> None:
        """Stop and join everything registered. Called on the main thread when it has ended its work."""
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
                logger.warning("A daemon thread still computes %.0f s after the process began to end.", JOIN_SECONDS)


_exit = _Exit()


def stop_at_exit(pipeline: Pipeline) -> None:
    """Stop and join a pipeline when the process ends. The registration does not keep it alive."""
    with _exit.changed:
        _exit.pipelines.add(pipeline)


@contextmanager
def computation() -> Iterator[None]:
    """Run a block that calls torch; the process does not end inside it.

    A daemon thread that enters after the process began to end is held for good. Python itself waits for all other
    threads, and a pipeline's thread is joined by its pipeline.
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
    """Hold a caller's daemon thread inside a long computation for good once the process ends. Call it between steps."""
    if not _exit.begun or not getattr(_exit.depth, "value", 0):
        return
    with _exit.changed:
        _exit.computing -= 1
        _exit.changed.notify_all()
        while True:
            _exit.changed.wait()


# threading's hooks run when the main thread has ended, before executors wait for their downloads; that is where
# concurrent.futures stops its own threads. It is not public, so the hook of atexit, which is later, stands in for it.
_register = getattr(threading, "_register_atexit", atexit.register)
_register(_exit.run)
