"""Option ``--save``: the recording of a run, written as a folder while it happens and as one file at the end."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import RecordError
from ..record.folder import SUFFIX
from ..record.record import SessionRecord
from ..record.save import check_target


@contextmanager
def recording(path: str | None, *, audio: bool = False, raw: bool = True) -> Iterator[SessionRecord]:
    """Provide the record of a run to a block; after the block, also after an error or Ctrl-C, save it to `path`.

    Memory does not depend on the length of the run: events and audio are read from a folder beside `path`. That folder
    is removed when the file is written; a process that is killed leaves it, and it opens like the file.

    Parameters
    ----------
    path
        File to write; None to save nothing.
    audio
        Keep the audio in memory, if nothing is saved: an exported page contains it.
    raw
        Also save the audio of the files as decoded, where its rate is not 16 kHz.

    Raises
    ------
    RecordExistsError
        If the file exists.
    RecordError
        If its name does not end in `.aiw`, or it cannot be written.
    """
    if path is None:
        yield SessionRecord(audio_seconds=None if audio else 0)
        return
    target = Path(path).expanduser()
    check_target(target)
    try:
        beside = Path(tempfile.mkdtemp(prefix=f".{target.stem[:40]}-", dir=target.parent))
    except OSError as error:
        raise RecordError(f"The recording cannot be written to {target}: {error.strerror or error}.") from error
    saved = False
    try:
        record = SessionRecord(audio_seconds=0, keep=beside / f"session{SUFFIX}", raw=raw)
        try:
            yield record
        finally:
            record.save(target)
            saved = True
    finally:
        if saved or not any(beside.iterdir()):
            shutil.rmtree(beside, ignore_errors=True)
        else:
            print(f"ai-widgets: What was recorded is in {beside / f'session{SUFFIX}'}.", file=sys.stderr)
