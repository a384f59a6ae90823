"""Files of a page: their names, and the ones that the front end's build makes (`js/src/page/site.ts` has the names)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from importlib.resources import files

from ..audio.clips import FOLDER as CLIPS
from ..errors import PageError

INDEX_FILE = "index.html"
"""The document."""
SCRIPT_FILE, STYLE_FILE = "page.js", "page.css"
"""The page's script and style sheet."""
WORKER_FILE = "engine-worker.js"
"""Script of the engine's Web Worker."""
WASM_FILE = "ort-wasm-simd-threaded.wasm"
"""onnxruntime's WebAssembly module."""
LICENSES_FILE = "page.licenses.txt"
"""Licences of the libraries in the files above."""
SERVICE_WORKER_FILE = "sw.js"
"""Service worker, which keeps all files so that the page opens without a network. A single file has none."""
BUILT = (INDEX_FILE, SCRIPT_FILE, STYLE_FILE, WORKER_FILE, WASM_FILE, LICENSES_FILE, SERVICE_WORKER_FILE)
"""Files of the front end's build."""
MODEL_FOLDER = "model"
"""Folder of the exported checkpoint (`model.onnx.manifest`)."""
CLIPS_FOLDER = "clips"
"""Folder of the clips that come with the package."""
CREDITS_FILE = "CREDITS.md"
"""Sources and licences of the embedded checkpoint's training data, and of the clips; one in each folder."""
EMBEDDED = "tiny"
"""Name of the embedded checkpoint, whose credits a page contains."""
RECORDING_FILE = "recording.aiw"
"""Recording that the page opens at its start, if it has one."""
SITE_FILE = "site.json"
"""List of a site's files with their digests, by which a folder is known as one that this package wrote."""

Contents = Mapping[str, bytes]
"""Content of files by their name, which may begin with a folder and a slash."""


def built() -> dict[str, bytes]:
    """Read the files of the front end's build.

    Raises
    ------
    PageError
        If one is missing, as in a source tree that was not built.
    """
    folder, found = files(__package__).joinpath("static"), {}
    for name in BUILT:
        try:
            found[name] = folder.joinpath(name).read_bytes()
        except FileNotFoundError as error:
            raise PageError(
                f"The page's file {name} is missing: this is a source tree that was not built. "
                "Run `make setup`, or `npm run build` in its folder js."
            ) from error
    return found


def clips() -> dict[str, bytes]:
    """Read the clips that come with the package, with their list and their credits."""
    paths = sorted(path for path in CLIPS.iterdir() if path.is_file())
    return {f"{CLIPS_FOLDER}/{path.name}": path.read_bytes() for path in paths}


def embedded_credits() -> bytes:
    """Read the credits of the embedded checkpoint."""
    return files("ai_widgets").joinpath("tiny", CREDITS_FILE).read_bytes()


def version_of(contents: Contents) -> str:
    """Return the version of a set of files: the start of a SHA-256 over their names and contents."""
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(json.dumps([name, hashlib.sha256(content).hexdigest()]).encode())
    return digest.hexdigest()[:16]


def substitute(document: str, pattern: re.Pattern[str], text: str) -> str:
    """Put a text in the only place of a pattern in the document; raises `PageError` if that is not there once."""
    # A function, since a text may contain what `sub` reads as a group.
    found, count = pattern.subn(lambda _: text, document)
    if count != 1:
        raise PageError(f"The page's document has {count} places for {pattern.pattern}; run `make` to build it again.")
    return found
