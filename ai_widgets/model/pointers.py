"""Git LFS pointers: small text files that stand where a large file should be.

`git clone` without git-lfs leaves them. Read as weights they look like damage, so they are recognised first.
Source: the specification of Git LFS, https://git-lfs.github.com/spec/v1.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import CheckpointError
from .configuration import files_of, names_shown
from .machine import gigabytes

BEGINNING = b"version https://git-lfs.github.com/spec/v1"
LARGEST_POINTER = 1024
"""Bytes; the specification's limit for a pointer file."""


def refuse_pointers(folder: Path) -> None:
    """Refuse a checkpoint folder that holds pointers instead of files.

    Raises
    ------
    CheckpointError
        Names the files, and says how to get the real ones.
    """
    sizes = {str(path.relative_to(folder)): size for path in files_of(folder) if (size := stands_for(path)) is not None}
    if not sizes:
        return
    what = "is a Git LFS pointer" if len(sizes) == 1 else "are Git LFS pointers"
    raise CheckpointError(
        f"{names_shown(list(sizes))} in {folder} {what}: text in place of {gigabytes(sum(sizes.values()))} of data "
        "that were not downloaded; run `git lfs install` and `git lfs pull` in that folder, or load the checkpoint by "
        "its hub id."
    )


def stands_for(path: Path) -> int | None:
    """Bytes of the file that a pointer stands for, or None where the path is no pointer."""
    try:
        if path.stat().st_size > LARGEST_POINTER:
            return None
        content = path.read_bytes()
    except OSError:
        return None  # whoever reads the file says so
    if not content.startswith(BEGINNING):
        return None
    words = content.decode("ascii", errors="replace").split()
    size = words[words.index("size") + 1 : words.index("size") + 2] if "size" in words else []
    return int(size[0]) if size and size[0].isdecimal() else 0
