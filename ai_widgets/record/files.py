"""Write a file as a whole: under a temporary name, which is renamed when all is written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import RecordError


@contextmanager
def writing(target: Path) -> Iterator[Path]:
    """Provide a temporary file beside `target` to a block, and rename it to `target` after the block.

    Raises
    ------
    RecordError
        If the file cannot be written; a file of that name stays as it was.
    """
    made: Path | None = None
    try:
        handle, name = tempfile.mkstemp(target.suffix, f".{target.stem[:40]}-", target.parent)
        os.close(handle)
        made = Path(name)
        yield made
        made.replace(target)
    except OSError as error:
        raise RecordError(f"{target} cannot be written: {error.strerror or error}.") from error
    finally:
        if made is not None:
            made.unlink(missing_ok=True)
