"""`PageFile`: a file in the browser, as a binary file object of the kernel.

The kernel caches only a few pieces. Reading a piece that is not cached requests it from the page and blocks, so the
reader sets the speed of the transfer (flow control), and a file with its index at the end (M4A) needs no full download
first. `read` and `seek` belong to one thread; `take` and `fail` may be called on any thread and never block.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable
from threading import Condition
from time import monotonic

from ...errors import AudioError
from ..wire.limits import MAX_RANGE_BYTES

PIECE_BYTES = MAX_RANGE_BYTES
"""Bytes of one range: well below the websocket limit of 10 MB with the third that base64 adds, and less than 0.5 s at
10 Mbit/s, so that the first piece of a file arrives soon."""
KEPT_PIECES = 8
"""Pieces in the cache (4 MB); the least recently used is evicted. Decoders alternate between header, index and
samples."""
ASK_AGAIN_SECONDS = 5.0
"""Timeout in seconds after which a range is requested again: messages are lost when a connection breaks."""
PATIENCE_SECONDS = 60.0
"""Timeout in seconds after which a page counts as closed. A shorter timeout would end files under kernels without
subshells, which receive no messages while a cell runs."""


class PageFile(io.RawIOBase):
    """A seekable binary file whose bytes are sent by a page.

    Parameters
    ----------
    name
        Name of the file, for error messages.
    size
        Length of the file in bytes.
    ask
        Called on the reading thread with offset and length, to request one range from the page.
    patience
        Timeout in seconds after which the page counts as closed.

    Attributes
    ----------
    failure
        Error that ended reading, raised by `read`; or None.
    """

    def __init__(
        self, name: str, size: int, ask: Callable[[int, int], None], patience: float = PATIENCE_SECONDS
    ) -> None:
        self.file_name, self.size, self._ask, self._patience = name, size, ask, patience
        self.failure: Exception | None = None
        self._place = 0
        self._pieces: OrderedDict[int, bytes] = OrderedDict()
        self._wanted: int | None = None
        self._changed = Condition()

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position of the next byte."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to `offset` from the start, the current position or the end (`whence`); return the new position."""
        if whence == io.SEEK_SET:
            if offset < 0:
                raise ValueError(f"A position in a file must be at least 0, not {offset}.")
            self._place = offset
        elif whence in (io.SEEK_CUR, io.SEEK_END):
            self._place = max(0, (self._place if whence == io.SEEK_CUR else self.size) + offset)
        else:
            raise ValueError(f"whence must be 0, 1 or 2, not {whence}.")
        return self._place

    def readinto(self, buffer: memoryview | bytearray) -> int:  # type: ignore[override]
        """Fill `buffer` from the current position; return the number of bytes, fewer only at the end of the file.

        Raises
        ------
        AudioError
            Where the page reports an error or does not answer.
        """
        view = memoryview(buffer).cast("B")
        filled = 0
        # Decoders treat a short read as the end of the file, so a read continues across pieces.
        while filled < len(view) and self._place < self.size:
            start = self._place - self._place % PIECE_BYTES
            piece = self._piece(start)
            part = piece[self._place - start : self._place - start + len(view) - filled]
            view[filled : filled + len(part)] = part
            filled += len(part)
            self._place += len(part)
        return filled

    def take(self, offset: int, data: bytes) -> None:
        """Store a range that the page sent. A range that is not awaited (a second answer) is discarded."""
        with self._changed:
            if offset != self._wanted or self.failure is not None:
                return
            expected = self._length(offset)
            if len(data) != expected:
                self._fail(
                    AudioError(
                        f"The browser sent {len(data)} bytes of {self.file_name} where {expected} were requested: the "
                        "file changed while it was read. Choose the file again."
                    )
                )
                return
            self._pieces[offset] = bytes(data)
            while len(self._pieces) > KEPT_PIECES:
                self._pieces.popitem(last=False)
            self._wanted = None
            self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        """End reading with an error, also where a read blocks. A first error is kept."""
        with self._changed:
            self._fail(error)

    def close(self) -> None:
        """Drop the pieces and end reading."""
        self.fail(AudioError(f"{self.file_name} is closed."))
        with self._changed:
            self._pieces.clear()
        super().close()

    def _fail(self, error: Exception) -> None:
        self.failure = self.failure or error
        self._wanted = None
        self._changed.notify_all()

    def _length(self, offset: int) -> int:
        return min(PIECE_BYTES, self.size - offset)

    def _piece(self, start: int) -> bytes:
        """Return the piece that begins at `start`, requested from the page unless it is cached."""
        with self._changed:
            if start in self._pieces:
                self._pieces.move_to_end(start)
                return self._pieces[start]
            if self.failure is not None:
                raise self.failure
            self._wanted = start
        end = monotonic() + self._patience
        while True:
            # Without the lock, since a page in the same process answers within this call.
            self._ask(start, self._length(start))
            with self._changed:
                left = end - monotonic()
                self._changed.wait_for(lambda: self._wanted != start, max(0.0, min(ASK_AGAIN_SECONDS, left)))
                if self.failure is not None:
                    raise self.failure
                if self._wanted != start:
                    return self._pieces[start]
                if left <= ASK_AGAIN_SECONDS:
                    self._fail(
                        AudioError(
                            f"The page that holds {self.file_name} has sent no part of the file for "
                            f"{self._patience:g} s and may be closed. Reload the page and choose the file again."
                        )
                    )
