"""`SavedFile`: a file that was written for a page, which takes it in ranges."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from ..wire.limits import MAX_RANGE_BYTES


class SavedFile:
    """A file in a temporary folder of its own, removed by `remove`, with this object, or at process exit.

    Parameters
    ----------
    request, page
        Number of the request to save, and the page that may take the file.
    suffix
        Ending of the name, with its dot.

    Attributes
    ----------
    path
        Where the file is to be written.
    """

    def __init__(self, request: int, page: str, suffix: str) -> None:
        self.request, self.page = request, page
        self._folder = TemporaryDirectory(prefix="ai_widgets-", ignore_cleanup_errors=True)
        self.path = Path(self._folder.name) / f"saved{suffix}"

    @property
    def size(self) -> int:
        """Length of the file in bytes."""
        return self.path.stat().st_size

    def part(self, offset: int) -> bytes | None:
        """Return at most `MAX_RANGE_BYTES` from `offset` on, none at the end; None where the file was removed."""
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                return file.read(MAX_RANGE_BYTES)
        except OSError:
            return None

    def remove(self) -> None:
        """Remove the file. May be called twice."""
        self._folder.cleanup()
