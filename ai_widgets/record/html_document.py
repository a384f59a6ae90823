"""`HtmlPage`: the document of `record.to_html`, whose audio stays in a file until it is written."""

from __future__ import annotations

import weakref
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

from ..errors import RecordError

FRAME_HEIGHT = 900
"""Height of a page in a notebook's output, in CSS pixels: heading, all lanes, and the inspector below them."""
PIECE_BYTES = 3 << 16
"""Bytes of audio that are encoded and written at once. A multiple of three, so that base64 needs no padding between."""
IN_MEMORY_BYTES = 1 << 18
"""Size in bytes from which the audio of a page is in a temporary file: one minute."""


class Sound:
    """The audio of a page as an MP3 file, in memory while it is small.

    Attributes
    ----------
    file
        The file, opened for writing and reading; removed with this object.
    """

    def __init__(self) -> None:
        self.file: IO[bytes] = SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - closed with this object
        weakref.finalize(self, self.file.close)

    def __len__(self) -> int:
        """Return the number of bytes of the audio as base64."""
        return -(-self.file.seek(0, 2) // 3) * 4

    def base64(self) -> Iterator[str]:
        """Yield the audio as base64, in pieces."""
        at = 0
        while True:
            # Each time, so that two readers of one page do not disturb each other.
            self.file.seek(at)
            piece = self.file.read(PIECE_BYTES)
            if not piece:
                return
            at += len(piece)
            yield b64encode(piece).decode("ascii")


class HtmlPage:
    """A complete HTML document. A notebook shows it in a frame that cannot reach the notebook.

    Parameters
    ----------
    before, after
        The document before and after the audio.
    sound
        The audio; None for a page without.

    Examples
    --------
    >>> page = record.to_html()
    >>> page.save("talk.html")
    """

    def __init__(self, before: str, sound: Sound | None = None, after: str = "") -> None:
        self._before, self._sound, self._after = before, sound, after

    def pieces(self) -> Iterator[str]:
        """Yield the document in pieces; memory does not depend on the length of its audio."""
        yield self._before
        if self._sound is not None:
            yield from self._sound.base64()
        yield self._after

    def __len__(self) -> int:
        """Return the number of bytes of the document as UTF-8."""
        text = len(self._before.encode("utf-8")) + len(self._after.encode("utf-8"))
        return text + (0 if self._sound is None else len(self._sound))

    def __str__(self) -> str:
        return "".join(self.pieces())

    def __repr__(self) -> str:
        return f"<HtmlPage: {len(self) / 1e6:.1f} MB>"

    def _repr_html_(self) -> str:
        # A frame without `allow-same-origin` has its own origin: its script cannot access the notebook.
        return (
            f'<iframe srcdoc="{escape(str(self))}" sandbox="allow-scripts" loading="lazy" title="Session record" '
            f'style="width:100%;height:{FRAME_HEIGHT}px;border:0"></iframe>'
        )

    def save(self, path: str | Path) -> Path:
        """Write the document to a file and return its path. An existing file is replaced at once, never half written.

        Parameters
        ----------
        path
            File to write.

        Raises
        ------
        RecordError
            If the file cannot be written.
        """
        target = Path(path)
        partial = target.with_name(f"{target.name}.part")
        try:
            with partial.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(self.pieces())
            partial.replace(target)
        except OSError as error:
            raise RecordError(f"The page cannot be written to {target}: {error.strerror or error}.") from error
        finally:
            partial.unlink(missing_ok=True)
        return target
