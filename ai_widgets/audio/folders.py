"""The sound files of a folder, by their names, and what else is in it."""

from __future__ import annotations

from pathlib import Path

from ..errors import printable
from .files import AUDIO_SUFFIXES

MOST_NAMED = 8
"""Skipped files that are named; the others are counted."""


def audio_in(folder: Path, pattern: str = "*") -> tuple[list[Path], list[str]]:
    """List the sound files of a folder by their names, and say why the others are left out.

    Parameters
    ----------
    folder, pattern
        Where, and which names of it (``*/*`` for those of its folders).

    Returns
    -------
    files, skipped
        In the order of their names; the others as ``notes.txt (.txt is not the suffix of an audio file)``.
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
    """The sentence about what `audio_in` left out."""
    shown = ", ".join(skipped[:MOST_NAMED])
    more = f" and {len(skipped) - MOST_NAMED} more" if len(skipped) > MOST_NAMED else ""
    return f"Skipped in {printable(str(folder))}: {shown}{more}."
