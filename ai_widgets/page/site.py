"""Write a page as a folder of static files, for any web server.

A new folder appears complete or not at all. A folder that this package wrote is brought up to date file by file, the
document and the service worker last, so that a page that is being served never lacks a file that it names. Files that
others put beside (`CNAME`, `.git`) stay.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import PageError
from .files import INDEX_FILE, SERVICE_WORKER_FILE, SITE_FILE, Contents

FORMAT = "ai_widgets page"
"""Value of the field `format` of `site.json`."""
LAST = (INDEX_FILE, SERVICE_WORKER_FILE)
"""Files written after all others, in this order: they name the others."""


def check_site(folder: Path) -> None:
    """Check, before a long export, that a page can be written to a folder.

    Raises
    ------
    PageError
        If the path is a file, its parent does not exist, or the folder contains anything but a page. Hidden files and
        folders are not counted, so that the folder of a repository can be used.
    """
    if folder.is_dir():
        others = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
        if others and _listed(folder) is None:
            raise PageError(
                f"The page cannot be written: {folder} contains {sorted(others)[0]}"
                f"{' and more' if len(others) > 1 else ''}, and is no page of ai-widgets. Name a new or an empty "
                "folder."
            )
        return
    if folder.exists():
        raise PageError(
            f"The page cannot be written: {folder} is a file. Name a folder, or add --single-file to write one file."
        )
    if not folder.absolute().parent.is_dir():
        raise PageError(
            f"The page cannot be written: {folder.parent} does not exist. Name a folder in an existing one."
        )


def write_site(contents: Contents, folder: Path) -> None:
    """Write the files of a page into a folder, which is new, empty, or a page that is replaced.

    Parameters
    ----------
    contents
        From `contents.contents`.
    folder
        See `check_site`.

    Raises
    ------
    PageError
        As `check_site`, and if a file cannot be written; a new folder does not exist then.
    """
    check_site(folder)
    try:
        if folder.is_dir():
            _bring_up_to_date(contents, folder)
        else:
            _create({**contents, SITE_FILE: _site_json(contents)}, folder)
    except OSError as error:
        raise PageError(f"The page cannot be written to {folder}: {error.strerror or error}.") from error


def _site_json(contents: Contents) -> bytes:
    names = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())}
    return json.dumps({"format": FORMAT, "made_by": f"ai_widgets {__version__}", "files": names}, indent=1).encode()


def _listed(folder: Path) -> list[str] | None:
    """Return the names of the files that this package wrote into a folder; None if it wrote none."""
    try:
        content: Any = json.loads((folder / SITE_FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("files"), dict):
        return None
    return [str(name) for name in content["files"]]


def _create(contents: Contents, folder: Path) -> None:
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name[:40]}-", dir=folder.absolute().parent))
    try:
        # Unlike its parts, a temporary folder is readable by its owner only, which a web server may not be.
        partial.chmod(0o755)
        for name, content in contents.items():
            _write(partial / name, content)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _bring_up_to_date(contents: Contents, folder: Path) -> None:
    before = _listed(folder) or []
    # The list comes first, with the files of both versions: after an interrupted update it is still a known page.
    _replace(folder / SITE_FILE, _site_json({**dict.fromkeys(before, b""), **contents}))
    for name in sorted(contents, key=lambda name: (LAST.index(name) if name in LAST else -1, name)):
        _replace(folder / name, contents[name])
    for name in before:
        # A name that was read from a file may point out of the folder.
        if name not in contents and (folder / name).resolve().is_relative_to(folder.resolve()):
            _remove(folder / name)
    _replace(folder / SITE_FILE, _site_json(contents))


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    # A folder of the site that holds other files stays.
    with contextlib.suppress(OSError):
        path.parent.rmdir()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
