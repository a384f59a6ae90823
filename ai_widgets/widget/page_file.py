"""`PageFile`: a file that lies in the browser, as a binary file that the kernel reads.

Nothing of it is stored in the kernel but a few pieces. Reading one that is not there asks the page for it and waits, so
how fast the file travels is up to its reader: that is the flow control, and a file whose index stands at its end (M4A)
is read at once. `read` and `seek` belong to one thread; `take` and `fail` may be called on any, and never wait.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable
from threading import Condition
from time import monotonic

from ..errors import AudioError

PIECE_BYTES = 512 * 1024
"""Bytes of one range. A websocket breaks above 10 MB, and base64 adds a third; the first piece of a file should pass in
less than half a second at 10 Mbit/s."""
KEPT_PIECES = 8
"""Pieces in memory, 4 MB: decoders read header, index and samples by turns."""
ASK_AGAIN_SECONDS = 5.0
"""A range that has not come is asked for again after this time: a line that broke and came back loses messages."""
PATIENCE_SECONDS = 60.0
"""A page that has sent nothing for this time is gone. Shorter would end files under kernels without subshells, which
take no messages while a cell runs."""


class PageFile(io.RawIOBase):
    """A seekable binary file whose bytes a page sends.

    Parameters
    ----------
    name
        The file's name, for sentences.
    size
        Its length in bytes.
    ask
        Called with offset and length to ask the page for one range. Called on the reading thread.
    patience
        Seconds without an answer after which the page counts as gone.

    Attributes
    ----------
    failure
        Why no more can be read, or None. `read` raises it.
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
        """Return the place of the next byte."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to `offset` from the beginning, the place or the end, as `whence` says; return the new place."""
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
        """Fill `buffer` from the place on; return how many bytes there were: fewer only at the end of the file.

        Raises
        ------
        AudioError
            The page can no longer be read from, or does not answer.
        """
        view = memoryview(buffer).cast("B")
        filled = 0
        # Decoders take a short read for the end of the file, so it goes on across pieces.
        while filled < len(view) and self._place < self.size:
            start = self._place - self._place % PIECE_BYTES
            piece = self._piece(start)
            part = piece[self._place - start : self._place - start + len(view) - filled]
            view[filled : filled + len(part)] = part
            filled += len(part)
            self._place += len(part)
        return filled

    def take(self, offset: int, data: bytes) -> None:
        """Take what the page sent. What nobody waits for (asked twice, answered twice) is discarded."""
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
        """End reading for good, at once, also where it waits. The first reason stays."""
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
        """The piece that begins at `start`; waits until it is there."""
        with self._changed:
            if start in self._pieces:
                self._pieces.move_to_end(start)
                return self._pieces[start]
            if self.failure is not None:
                raise self.failure
            self._wanted = start
        end = monotonic() + self._patience
        while True:
            # Without the lock: a page in the same process answers at once.
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
