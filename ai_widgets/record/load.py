"""Open a recording: a folder, or one file; of a truncated or altered one, the readable part (docs/record-format.md)."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import warnings
import weakref
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import soundfile

from ..audio.sink import AudioSpool
from ..errors import ForeignRecordError, RecordError, RecordWarning
from ..protocol import CHUNK_SECONDS, EVENT_TYPES, Chunk, Notice
from . import exact_flac
from .archive import Archive
from .audio_store import AudioStore
from .event_file import EventFile
from .event_json import event_of
from .event_store import EventStore
from .folder import AUDIO_NAME, EVENTS_NAME, HEADER_NAME
from .header import MAX_BYTES, Header
from .raw_store import RAW_NAME, SEGMENT, segments_in
from .record import SessionRecord
from .save import FLAC_NAME, REST_NAME

MAX_LINE = 16 << 20
"""Length of one event's line, in bytes: a thousand times the longest reply; more is no line of events."""
HELD_CHUNKS = 1500
"""Chunks in memory of audio that is appended to a loaded record: ten minutes, as `AUDIO_SECONDS`."""


class Unpacked:
    """Temporary folder for the content of a file; removed with the record that reads from it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ai_widgets-"))
        self._removing = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)


@dataclass
class Losses:
    """What a recording lacks, as parts of a sentence, and by name for programs."""

    words: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def add(self, words: str, **data: Any) -> None:
        """Add one loss."""
        self.words.append(words)
        self.data.update(data)


def load(path: str | Path) -> SessionRecord:
    """Open a recording; see `SessionRecord.load`.

    Raises
    ------
    RecordError
        If there is no such file or it cannot be read; also its subclasses `ForeignRecordError` and `NewerRecordError`.

    Warns
    -----
    RecordWarning
        If a part of the recording is missing.
    """
    record, missing = open_recording(path)
    if missing:
        warnings.warn(missing, RecordWarning, stacklevel=3)
    return record


def open_recording(path: str | Path, name: str = "") -> tuple[SessionRecord, str]:
    """Open a recording as `load` does; return also the sentence on what it lacks, empty if it is complete.

    `name` is the recording's name in that sentence, by default that of the file.
    """
    given = Path(path).expanduser()
    losses, owned = Losses(), None
    try:
        if not given.exists():
            raise RecordError(f"There is no recording {given}.")
        folder = given
        if not given.is_dir():
            owned = Unpacked()
            folder = owned.folder
            _unpack(given, folder, losses)
        header = _header(folder, given, losses)
        events = _events(folder, given, losses, known=header is not None)
        header = header or Header()
        if (folder / FLAC_NAME).exists():
            _decode(folder, losses, rest=header.rest)
        header = replace(header, rest=False)
        audio = _audio(folder, header, events, losses)
    except OSError as error:
        raise RecordError(f"{given} cannot be read: {error.strerror or error}.") from error
    record = SessionRecord()
    record._begin_with(header, events, audio, given, owned)
    record._raw = tuple(segments_in(folder))
    if not losses.words:
        return record, ""
    message = f"The recording {name or given.name} is not complete: {'; '.join(losses.words)}."
    record.append(Notice(max(0, audio.chunks - 1), "salvaged", message, losses.data))
    return record, message


def _unpack(path: Path, folder: Path, losses: Losses) -> None:
    """Unpack the one-file form into a folder of the other form."""
    archive = Archive(path)
    try:
        if archive.cut:
            losses.add("the file is cut off or altered and has no directory", cut=True)
        if HEADER_NAME not in archive and EVENTS_NAME not in archive:
            raise ForeignRecordError(f"{path} is a zip archive but no recording of ai_widgets.")
        raw = [name for name in archive.names if SEGMENT.fullmatch(name)]
        if raw:
            (folder / RAW_NAME).mkdir(0o700)
        # A file holds its audio once: as FLAC, or, where a web page wrote it, in the form of the folder.
        audio = (FLAC_NAME, REST_NAME) if FLAC_NAME in archive else (AUDIO_NAME,)
        for name in (HEADER_NAME, EVENTS_NAME, *audio, *dict.fromkeys(raw)):
            if name in archive:
                with (folder / name).open("xb") as file:
                    damage = archive.unpack(name, file)
                if damage is not None:
                    losses.add(damage, **{re.sub(r"\W", "_", name): "damaged"})
    finally:
        archive.close()


def _decode(folder: Path, losses: Losses, *, rest: bool) -> None:
    """Decode the FLAC audio, and the rest if there is one, to the audio file of a folder."""
    spool, chunk, exact = AudioSpool(folder / AUDIO_NAME), 0, 0
    try:
        with ExitStack() as stack:
            flac = stack.enter_context((folder / FLAC_NAME).open("rb"))
            there = (folder / REST_NAME).exists()
            finer = stack.enter_context((folder / REST_NAME).open("rb")) if there else None
            for samples, whole in exact_flac.read(flac, finer):
                spool.write(chunk, samples)
                chunk, exact = chunk + 1, exact + whole
    except (soundfile.LibsndfileError, ValueError) as error:
        losses.add(f"its audio cannot be read after {chunk * CHUNK_SECONDS:.1f} s ({error})", audio_flac="damaged")
    finally:
        spool.close()
    if rest and exact < chunk:
        seconds = exact * CHUNK_SECONDS
        losses.add(
            f"after {seconds:.1f} s its audio is rounded to 24 bits, so that a replay may differ", exact_s=seconds
        )


def _header(folder: Path, given: Path, losses: Losses) -> Header | None:
    """Read the header; None, with a loss, if it is missing or damaged."""
    path = folder / HEADER_NAME
    if not path.exists():
        if not (folder / EVENTS_NAME).exists():
            raise ForeignRecordError(
                f"{given} is not a recording of ai_widgets: it has neither {HEADER_NAME} nor {EVENTS_NAME}."
            )
        losses.add("its header is missing, so that model and settings are unknown", header="missing")
        return None
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("too large")
        values = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        losses.add("its header is damaged, so that model and settings are unknown", header="damaged")
        return None
    return Header.from_json(values, str(given))


def _events(folder: Path, given: Path, losses: Losses, *, known: bool) -> EventStore:
    """Read all events once, for their rows; damaged lines are left out."""
    path = folder / EVENTS_NAME
    store = EventStore()
    if not path.exists():
        losses.add("its events are missing", events="missing")
        return store
    bad = _scan(path, store)
    if bad and not known and not len(store):
        raise ForeignRecordError(f"{given} is not a recording of ai_widgets: {EVENTS_NAME} holds no event.")
    if bad:
        losses.add(f"{bad} of its events {'is' if bad == 1 else 'are'} cut off or damaged and left out", bad_events=bad)
    return store


def _scan(path: Path, store: EventStore) -> int:
    """Adopt the events of a file, and return the number of damaged lines.

    The file is read by index later, which needs every line to be an event or of an unknown type. So from the first
    damaged line on the events are kept in memory, like those of a session.
    """
    file, bad, at = EventFile(path), 0, 0
    store.file_into(file, writing=False)
    with path.open("rb") as lines:
        while line := lines.readline(MAX_LINE):
            start, at = at, at + len(line)
            try:
                event = event_of(line)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
                if _of_unknown_type(line):
                    if not bad:
                        file.pass_over(at)
                elif line.strip():
                    bad += 1
                continue
            try:
                if bad:
                    store.append(event)
                else:
                    store.adopt(event, start, at)
            except (ValueError, TypeError, OverflowError):
                bad += 1
    return bad


def _of_unknown_type(line: bytes) -> bool:
    """Return whether a line is a complete object of a type that this version does not know."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(values, dict) and isinstance(kind := values.get("type"), str) and kind not in EVENT_TYPES


def _audio(folder: Path, header: Header, events: EventStore, losses: Losses) -> AudioStore:
    """Open the audio, and compare its length with the events."""
    store = AudioStore(HELD_CHUNKS, header.first_chunk)
    path = folder / AUDIO_NAME
    if path.exists():
        try:
            store.spool_into(AudioSpool.opened(path), writing=False)
        except ValueError as error:
            losses.add(f"its audio is damaged: {error}", audio="damaged")
    expected = events.count(Chunk)
    missing = expected - store.chunks
    seconds = abs(missing) * CHUNK_SECONDS
    if missing > 0:
        losses.add(f"the audio of its last {seconds:.1f} s is missing", audio_missing_s=seconds)
        store.chunks = expected
    elif missing < -1:
        # One chunk more is what a process leaves that was killed between audio and event.
        losses.add(f"the events of its last {seconds:.1f} s are missing", events_missing_s=seconds)
    return store
