"""Write a record as one file or as a folder (docs/record-format.md), completely or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from ..audio.sink import AudioSpool
from ..errors import RecordError, RecordExistsError
from ..protocol import CHUNK_SAMPLES
from . import exact_flac
from .folder import AUDIO_NAME, EVENTS_NAME, HEADER_NAME, SUFFIX
from .header import Header
from .raw_store import RAW_NAME, write_flac
from .syncing import sync

if TYPE_CHECKING:
    from .record import SessionRecord

FLAC_NAME, REST_NAME = "audio.flac", "audio.rest"
MIME_NAME = "mimetype"
MIME = b"application/vnd.ai-widgets.recording+zip"
"""Content of the first member, stored, by which `file` and other programs recognise the archive."""


def save(
    record: SessionRecord, path: str | Path, *, overwrite: bool = False, folder: bool = False, raw: bool = True
) -> Path:
    """Write a record; see `SessionRecord.save`. `raw`: whether a file also has the audio as it arrived.

    Raises
    ------
    RecordExistsError
        If the name exists and may not be replaced.
    RecordError
        If the name does not end in `.aiw`, or the recording cannot be written.
    """
    target = Path(path).expanduser()
    check_target(target, overwrite=overwrite)
    if record.path is not None and record.path.exists() and target.exists() and target.samefile(record.path):
        raise RecordExistsError(f"{target} is the recording that this record reads from; choose another name.")
    try:
        with _temporary(target) as made:
            if folder:
                _write_folder(record, made)
            else:
                _write_file(record, made, raw)
            _replace(made, target)
            sync(target.parent)
    except OSError as error:
        raise RecordError(f"The recording cannot be written to {target}: {error.strerror or error}.") from error
    return target


def check_target(target: Path, *, overwrite: bool = False) -> None:
    """Check the name of a recording that is to be written.

    Raises
    ------
    RecordExistsError
        If the name exists and may not be replaced.
    RecordError
        If the name does not end in `.aiw`, or its folder does not exist.
    """
    if target.suffix != SUFFIX:
        raise RecordError(f"A recording must have a name that ends in {SUFFIX}, not {target.name!r}.")
    if not target.parent.is_dir():
        raise RecordError(f"The folder {target.parent} does not exist; the recording needs one that does.")
    if not target.exists():
        return
    if not overwrite:
        raise RecordExistsError(f"{target} exists already; overwrite=True replaces it.")
    if target.is_dir() and not (target / HEADER_NAME).exists() and not (target / EVENTS_NAME).exists():
        raise RecordExistsError(f"{target} is a folder but no recording, and is not replaced; choose another name.")


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """Provide an unused name beside `target` to a block, and remove any file of that name after the block."""
    holder = Path(tempfile.mkdtemp(prefix=f".{target.stem[:40]}-", suffix=".tmp", dir=target.parent))
    try:
        yield holder / target.name
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def _replace(made: Path, target: Path) -> None:
    """Rename the written recording to its name; an old one is moved aside before and removed with the temporary folder.

    Only between two folders there is an instant without a recording of that name: no system call exchanges them
    everywhere.
    """
    if target.is_dir() or (made.is_dir() and target.exists()):
        os.replace(target, made.with_name("replaced"))  # noqa: PTH105 - a folder, too
    os.replace(made, target)  # noqa: PTH105


def _header(record: SessionRecord) -> Header:
    reduced = record.reduced
    first = round(record.audio_start_s * 16_000) // CHUNK_SAMPLES
    return replace(record.header, first_chunk=first, reduced=(reduced.start, reduced.stop) if reduced else (0, 0))


def _write_folder(record: SessionRecord, target: Path) -> None:
    target.mkdir(0o700)
    _header(record).write(target / HEADER_NAME)
    with (target / EVENTS_NAME).open("xb") as file:
        record.copy_events(file.write)
    spool, chunk = AudioSpool(target / AUDIO_NAME), 0
    for piece in record.audio_pieces():
        for samples in piece.reshape(-1, CHUNK_SAMPLES):
            spool.write(chunk, samples)
            chunk += 1
    spool.close()
    for segment in record.raw:
        (target / RAW_NAME).mkdir(0o700, exist_ok=True)
        shutil.copyfile(segment.path, target / RAW_NAME / segment.path.name)
    for file_path in target.rglob("*"):
        if file_path.is_file():
            sync(file_path)


def _write_file(record: SessionRecord, target: Path, raw: bool) -> None:
    flac, rest = target.with_name(FLAC_NAME), target.with_name(REST_NAME)
    with rest.open("xb") as file:
        pieces, finer = exact_flac.write(record.audio_pieces(), flac, file)
    header = replace(_header(record), rest=finer)
    with ZipFile(target, "x", ZIP_DEFLATED) as archive:
        archive.writestr(MIME_NAME, MIME, ZIP_STORED)
        archive.writestr(HEADER_NAME, header.to_bytes())
        with archive.open(EVENTS_NAME, "w", force_zip64=True) as member:
            record.copy_events(member.write)
        if pieces:
            archive.write(flac, FLAC_NAME, ZIP_STORED)
        if finer:
            archive.write(rest, REST_NAME, ZIP_DEFLATED)
        for segment in record.raw if raw else ():
            made = target.with_name(f"{segment.path.stem}.flac")
            if segment.path.suffix == Path(FLAC_NAME).suffix:
                made = segment.path
            else:
                write_flac(segment, made)
            archive.write(made, f"{RAW_NAME}/{made.name}", ZIP_STORED)
    sync(target)
