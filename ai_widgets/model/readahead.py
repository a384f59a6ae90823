"""Read-ahead of a memory-mapped file, so that disk reads overlap with the conversion of the weights.

A memory map is read by page faults, and each fault blocks. A thread that reads the same bytes earlier into a scratch
buffer puts them into the system's page cache, so that the faults do not wait for the disk.
"""

from __future__ import annotations

from pathlib import Path
from threading import Condition, Thread

AT_ONCE = 8 * 2**20
"""Size of one read, in bytes."""
AHEAD = 256 * 2**20
"""Maximum distance of the read-ahead from the use, in bytes: small enough for the page cache of a machine with little
free memory."""
SMALL = 64 * 2**20
"""Size of a file, in bytes, below which read-ahead costs more than it saves."""
IDLE_SECONDS = 2.0
"""Seconds without use after which the thread ends; the next use starts a new one."""


class ReadAhead:
    """Background reader that keeps a file's next bytes in the page cache.

    Parameters
    ----------
    path
        File that is used approximately in order.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size
        self._changed = Condition()
        self._used = self._read = 0
        self._thread: Thread | None = None

    @property
    def read(self) -> int:
        """Number of bytes read ahead."""
        return self._read

    @property
    def alive(self) -> bool:
        """Whether the thread is running."""
        return self._thread is not None

    def advance(self, used: int) -> None:
        """Report that the first `used` bytes of the file have been used."""
        if self._size < SMALL:
            return
        with self._changed:
            self._used = max(self._used, used)
            # Used bytes need no read-ahead.
            self._read = max(self._read, self._used)
            if self._thread is None and self._read < self._size:
                self._thread = Thread(target=self._run, name="ai_widgets read ahead", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _run(self) -> None:
        buffer = bytearray(AT_ONCE)
        try:
            with self._path.open("rb", buffering=0) as file:
                while (start := self._next()) is not None:
                    file.seek(start)
                    count = file.readinto(buffer) or 0
                    with self._changed:
                        self._read = max(self._read, start + count) if count else self._size
        except OSError:
            # Read-ahead is only a hint: the reader of the map meets the same error and reports it.
            with self._changed:
                self._read = self._size
        finally:
            with self._changed:
                self._thread = None

    def _next(self) -> int | None:
        """Return the offset of the next read, waiting while far enough ahead; None at the end or when idle."""
        with self._changed:
            used = self._used
            while self._read < self._size and self._read >= self._used + AHEAD:
                if not self._changed.wait(IDLE_SECONDS) and self._used == used:
                    return None
                used = self._used
            return self._read if self._read < self._size else None
