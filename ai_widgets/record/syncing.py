"""Force what was written to the disk, so that it survives a power cut: at once, or a bounded time after it was written.

A process that is killed loses nothing that it has written; a power cut also costs what the operating system holds in
memory, tens of seconds on most systems. A call that waits for the disk takes milliseconds to seconds, so a session
leaves it to a timer's thread.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from threading import Timer
from typing import Protocol

from ..process_exit import stop_at_exit

SYNC_SECONDS = 5.0
"""Seconds from a write to the start of the sync that covers it: what a power cut costs at most, besides the time of the
sync itself. Shorter would keep a disk from its sleep without a use; systems wait up to 30."""


class Timed(Protocol):
    """The part of `threading.Timer` that is needed."""

    daemon: bool

    def start(self) -> None:
        """Begin to wait."""

    def cancel(self) -> None:
        """End the waiting, without a call of the function."""

    def is_alive(self) -> bool:
        """Return whether it waits, or its function runs."""


def sync(path: Path) -> None:
    """Wait until a file or the names in a folder are on the disk.

    Raises
    ------
    OSError
        If the disk reports an error.
    """
    if not path.is_dir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    elif sys.platform != "win32":
        # Windows keeps the names in a folder without being asked.
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class DelayedSync:
    """Syncs files `seconds` after they were written, on a thread that exists from a write to its sync.

    Parameters
    ----------
    seconds
        Delay, in seconds.
    timer
        As `threading.Timer`.
    """

    def __init__(self, seconds: float = SYNC_SECONDS, timer: type[Timer] = Timer) -> None:
        self._seconds, self._new_timer = seconds, timer
        # A dict without a lock, which an interrupt could leave locked: each of its operations here is atomic.
        self._written: dict[Path, None] = {}
        self._timer: Timed | None = None
        self._stopped = False
        self._error: OSError | None = None
        stop_at_exit(self)

    def check(self) -> None:
        """Raise the `OSError` of the last sync, once; call before a write."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def written(self, *paths: Path) -> None:
        """Note that files were written, or that names in folders were made. Safe on any thread; waits for no disk."""
        for path in paths:
            self._written[path] = None
        # Two threads at once may begin two delays, which is one too many and no more.
        if not self._stopped and (self._timer is None or not self._timer.is_alive()):
            timer = self._new_timer(self._seconds, self.sync)
            timer.daemon = True
            timer.start()
            self._timer = timer

    def sync(self) -> None:
        """Sync what was written since the last call; a failure is raised by the next `check`."""
        # In this order: what is written from here on begins another delay, and what was written before is in the list.
        self._timer = None
        for path in list(self._written):
            self._written.pop(path, None)
            try:
                sync(path)
            except FileNotFoundError:
                # The recording was removed: nothing is left to keep.
                continue
            except OSError as error:
                self._error = error

    def stop(self) -> None:
        """Begin no more delays: the process exits."""
        self._stopped, timer = True, self._timer
        if timer is not None:
            timer.cancel()

    def join(self, timeout: float) -> None:  # noqa: ARG002 - the disk takes no timeout
        """Sync the rest at process exit."""
        self.sync()
