"""`Folder`: the `.aiw` folder into which a session is written while it happens (docs/record-format.md)."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from ..audio.sink import AudioSpool
from ..errors import RecordExistsError, SettingError
from .event_file import EventFile
from .header import Header

SUFFIX = ".aiw"
"""Suffix of a recording: a folder that is written, or one file."""
HEADER_NAME, EVENTS_NAME, AUDIO_NAME = "header.json", "events.jsonl", "audio.au"


def check_keep(keep: str | Path | None) -> None:
    """Check the `keep` of a widget, whose sessions each need a recording of their own.

    Raises
    ------
    SettingError
        If it names one recording instead of a folder, or a folder that cannot be written.
    """
    if keep is None:
        return
    if Path(keep).suffix == SUFFIX:
        raise SettingError(
            f"keep={str(keep)!r} names one recording; a widget needs a folder, in which every session gets a recording "
            f"of its own: keep={str(Path(keep).with_suffix(''))!r}.",
            ("keep",),
        )
    Folder(keep)


class Folder:
    """Recording as a folder, created with the first event or chunk.

    Parameters
    ----------
    keep
        A name that ends in `.aiw`: the recording itself, which must not exist. Any other name: a folder, created if
        missing, in which the recording gets a name made of the time.

    Attributes
    ----------
    path
        Path of the recording; None before it is created.
    wanted
        `keep` as a path.

    Raises
    ------
    RecordExistsError
        If the recording exists.
    SettingError
        If the folder cannot be written, or is a file.
    """

    def __init__(self, keep: str | Path) -> None:
        self.wanted = Path(keep).expanduser()
        self.path: Path | None = None
        self._making: Path | None = None
        if self.wanted.suffix == SUFFIX:
            if self.wanted.exists():
                raise RecordExistsError(
                    f"keep={str(keep)!r} exists already and is not overwritten: choose another name, or a folder in "
                    "which every session gets a name of its own."
                )
        elif self.wanted.exists() and not self.wanted.is_dir():
            raise SettingError(f"keep must be a folder or a name that ends in {SUFFIX}; {keep} is a file.", ("keep",))
        above = self.wanted if self.wanted.is_dir() else self.wanted.parent
        if not above.is_dir() or not os.access(above, os.W_OK):
            message = f"keep must be in a writable folder; {above} does not exist or is not writable."
            raise SettingError(message, ("keep",))

    def create(self, header: Header) -> tuple[EventFile, AudioSpool]:
        """Create the folder with its header, and return its files for events and audio. May be repeated.

        Raises
        ------
        OSError
            If the folder cannot be written.
        """
        if self.path is None:
            self.path = self._made()
        header.write(self.path / HEADER_NAME)
        return EventFile(self.path / EVENTS_NAME), AudioSpool(self.path / AUDIO_NAME)

    def update(self, header: Header) -> None:
        """Write the header again after it changed.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        if self.path is not None:
            header.write(self.path / HEADER_NAME)

    def _made(self) -> Path:
        """Create a new folder that only its owner can access, and return its path."""
        if self.wanted.suffix == SUFFIX:
            return self._new(self.wanted)
        self.wanted.mkdir(0o700, exist_ok=True)
        stem, number = f"session-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}", 1
        while True:
            try:
                return self._new(self.wanted / f"{stem}{'' if number == 1 else f'-{number}'}{SUFFIX}")
            except FileExistsError:
                number += 1

    def _new(self, path: Path) -> Path:
        """Create one folder; an interrupted call may be repeated."""
        again, self._making = self._making == path, path
        try:
            path.mkdir(0o700)
        except FileExistsError:
            # An interrupted call may have made it, and nothing in it yet.
            if not again or any(path.iterdir()):
                raise
        return path
