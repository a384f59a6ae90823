"""Expand files and folders to lists of audio files, and report unreadable files early."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

from ..errors import AudioError, AudioWarning, printable
from .clips import clip_named
from .files import AUDIO_SUFFIXES, LONGEST_S, open_audio

SEQUENCE_FILE = "sequence.json"
"""File in a folder of audio that lists the names of the files to play, in order."""

MOST_NAMED = 8
"""Maximum number of skipped files that a message names; further files are counted."""


def audio_in(folder: Path, pattern: str = "*") -> tuple[list[Path], list[str]]:
    """List the audio files of a folder by their suffixes, and the reason why each other file is skipped.

    Parameters
    ----------
    folder
        Folder to list.
    pattern
        Glob pattern of the names (``*/*`` for the files of its subfolders).

    Returns
    -------
    files, skipped
        Audio files sorted by name; skipped files with the reason, as ``a.txt (.txt is not the suffix of an audio
        file)``.
    """
    files: list[Path] = []
    skipped: list[str] = []
    for path in sorted(folder.glob(pattern)):
        name = printable(path.relative_to(folder).as_posix())
        if path.name.startswith("."):
            skipped.append(f"{name} (hidden)")
        elif path.is_dir():
            skipped.append(f"{name} (a folder)")
        elif path.suffix.lower() not in AUDIO_SUFFIXES:
            skipped.append(f"{name} ({path.suffix or 'no suffix'} is not the suffix of an audio file)")
        else:
            files.append(path)
    return files, skipped


def skipped_words(folder: Path, skipped: list[str]) -> str:
    """Format the sentence about the files that `audio_in` skipped."""
    shown = ", ".join(skipped[:MOST_NAMED])
    more = f" and {len(skipped) - MOST_NAMED} more" if len(skipped) > MOST_NAMED else ""
    return f"Skipped in {printable(str(folder))}: {shown}{more}."


def _warn(sentence: str) -> None:
    warnings.warn(sentence, AudioWarning, stacklevel=4)


def expand_paths(paths: Iterable[str | os.PathLike[str]], tell: Callable[[str], None] = _warn) -> list[Path]:
    """Expand a list of files, folders and clips (``clip:rain``) to a list of files.

    A folder with `sequence.json` (a list of names) is replaced by the named files in that order; any other folder by
    its audio files, sorted by name.

    Parameters
    ----------
    paths
        Files and folders, and clips by name.
    tell
        Receives a sentence about the files of a folder that are skipped; by default an `AudioWarning` is issued.

    Raises
    ------
    AudioError
        If a folder contains no audio files, or its `sequence.json` is not a list of file names.
    """
    files: list[Path] = []
    for given in paths:
        clip = clip_named(given)
        # A clip keeps its name: records and messages then name no folder of the installation.
        path = Path(given) if clip is None else Path(str(clip))
        if path.is_dir():
            files += _folder_files(path, tell)
        else:
            files.append(path)
    return files


def _folder_files(folder: Path, tell: Callable[[str], None]) -> list[Path]:
    sequence = folder / SEQUENCE_FILE
    if not sequence.exists():
        files, skipped = audio_in(folder)
        if not files:
            others = f" ({skipped_words(folder, skipped)})" if skipped else ""
            raise AudioError(f"The folder {folder} contains no audio files and no {SEQUENCE_FILE}{others}.")
        if skipped:
            tell(skipped_words(folder, skipped))
        return files
    try:
        names = json.loads(sequence.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise AudioError(f"{sequence} is not valid JSON: {error}.") from error
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise AudioError(f"{sequence} must be a list of file names.")
    return [folder / name for name in names]


def check_files(paths: Iterable[Path], longest_s: float | None = LONGEST_S) -> float | None:
    """Open each file and decode its first block, to report an unreadable file early.

    Returns
    -------
    float or None
        Seconds of all files together, as their headers say; None where one does not say.

    Raises
    ------
    AudioError
        If a file cannot be read.
    """
    total: float | None = 0.0
    for path in paths:
        with open_audio(path, longest_s=longest_s) as reader:
            next(reader)
            total = None if total is None or reader.seconds is None else total + reader.seconds
    return total
