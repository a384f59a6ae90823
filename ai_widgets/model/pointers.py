"""Git LFS pointers: small text files in place of large files.

`git clone` without git-lfs creates them. They are recognised before loading, because as weights they look like damaged
files. Source: the specification of Git LFS, https://git-lfs.github.com/spec/v1.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import CheckpointError
from .configuration import files_of, names_shown
from .machine import gigabytes

BEGINNING = b"version https://git-lfs.github.com/spec/v1"
"""First bytes of every pointer file."""
LARGEST_POINTER = 1024
"""Maximum size of a pointer file in bytes, from the specification."""


def refuse_pointers(folder: Path) -> None:
    """Raise an error if a checkpoint folder contains pointers instead of files.

    Raises
    ------
    CheckpointError
        With the names of the pointers, and the commands that download the files.
    """
    sizes = {
        str(path.relative_to(folder)): size for path in files_of(folder) if (size := pointed_size(path)) is not None
    }
    if not sizes:
        return
    what = "is a Git LFS pointer" if len(sizes) == 1 else "are Git LFS pointers"
    raise CheckpointError(
        f"{names_shown(list(sizes))} in {folder} {what}: text in place of {gigabytes(sum(sizes.values()))} of data "
        "that were not downloaded; run `git lfs install` and `git lfs pull` in that folder, or load the checkpoint by "
        "its hub id."
    )


def pointed_size(path: Path) -> int | None:
    """Return the size in bytes of the file that a pointer replaces; None if the path is not a pointer."""
    try:
        if path.stat().st_size > LARGEST_POINTER:
            return None
        content = path.read_bytes()
    except OSError:
        return None  # reading the file later raises the error
    if not content.startswith(BEGINNING):
        return None
    words = content.decode("ascii", errors="replace").split()
    size = words[words.index("size") + 1 : words.index("size") + 2] if "size" in words else []
    return int(size[0]) if size and size[0].isdecimal() else 0
