"""List the audio files of a folder and the files that are skipped."""

from __future__ import annotations

from pathlib import Path

from ..errors import printable
from .files import AUDIO_SUFFIXES

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
