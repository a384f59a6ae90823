"""Reading a file ahead of whoever maps it: the disk works while the processor converts.

A map alone is read a page fault at a time, and each fault is waited for. A thread that reads the same bytes a little
earlier, into a buffer that nobody looks at, leaves them in the system's cache, where the map finds them.
"""

from __future__ import annotations

from pathlib import Path
from threading import Condition, Thread

AT_ONCE = 8 * 2**20
"""Bytes of one read."""
AHEAD = 256 * 2**20
"""How far the reading may be in front of the use: little enough for the cache of a machine that is nearly full."""
SMALL = 64 * 2**20
"""A smaller file is not worth a thread."""
IDLE_SECONDS = 2.0
"""The thread ends when nothing was used for so long, and begins anew with the next use."""


class ReadAhead:
    """Keeps a file's next bytes in the system's cache.

    Parameters
    ----------
    path
        The file; it is used from its beginning to its end, more or less.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size
        self._changed = Condition()
        self._used = self._read = 0
        self._thread: Thread | None = None

    @property
    def read(self) -> int:
        """Bytes that were read ahead so far."""
        return self._read

    @property
    def alive(self) -> bool:
        """Whether the thread exists."""
        return self._thread is not None

    def advance(self, used: int) -> None:
        """Say that so many bytes have been used."""
        if self._size < SMALL:
            return
        with self._changed:
            self._used = max(self._used, used)
            # What has been used already need not be read again.
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
            # Only a hint: whoever reads the file in earnest meets the error where it can be told.
            with self._changed:
                self._read = self._size
        finally:
            with self._changed:
                self._thread = None

    def _next(self) -> int | None:
        """Where to read next; waits while far enough ahead, and gives up when nothing is used for a while."""
        with self._changed:
            used = self._used
            while self._read < self._size and self._read >= self._used + AHEAD:
                if not self._changed.wait(IDLE_SECONDS) and self._used == used:
                    return None
                used = self._used
            return self._read if self._read < self._size else None
