"""Write a page as one HTML file, which opens from disk (`file://`) and needs no server.

Each file of the site is an element `<script type="text/plain" data-aiw-file="NAME">` with the base64 of its gzip; the
page unpacks the model, gives the runtime's WebAssembly as bytes, and starts the worker from a Blob
(`js/src/page/site.ts`). A content security policy allows the script and the style sheet by their hashes; scripts of a
Blob are the worker and the audio worklet.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from pathlib import Path

from ..errors import PageError, RecordError
from ..record.files import writing
from .files import INDEX_FILE, RECORDING_FILE, SCRIPT_FILE, SERVICE_WORKER_FILE, STYLE_FILE, Contents, substitute

MOST_BYTES = 35_000_000
"""Largest size of the file, in bytes: browsers take seconds to read a larger one, and mail servers refuse it."""
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="[^"]*">')
"""Policy of the site's document, which a single file replaces."""
STYLE_LINK, SCRIPT_LINK = f'<link rel="stylesheet" href="{STYLE_FILE}">', f'<script src="{SCRIPT_FILE}"></script>'
"""Elements of the site's document whose place the style sheet and the script take."""
INLINE = (INDEX_FILE, STYLE_FILE, SCRIPT_FILE, SERVICE_WORKER_FILE)
"""Files that are not embedded: three are the document itself, and a file from disk can have no service worker."""


def check_single_file(path: Path) -> None:
    """Check, before a long export, that a page can be written to a file.

    Raises
    ------
    PageError
        If the path is a folder, or its folder does not exist.
    """
    if path.is_dir():
        raise PageError(f"The page cannot be written: {path} is a folder. Name a file, such as {path / 'page.html'}.")
    if not path.absolute().parent.is_dir():
        raise PageError(f"The page cannot be written: {path.parent} does not exist. Name a file in an existing folder.")


def write_single_file(contents: Contents, path: Path) -> None:
    """Write the files of a page as one HTML file. An existing file is replaced at once, never half written.

    Parameters
    ----------
    contents
        From `contents.contents`.
    path
        File to write.

    Raises
    ------
    PageError
        As `check_single_file`; if the file would have more than `MOST_BYTES`, or cannot be written.
    """
    check_single_file(path)
    size = 0
    try:
        with writing(path) as partial, partial.open("wb") as file:
            for part in parts(contents):
                size += len(part)
                if size > MOST_BYTES:
                    raise PageError(_too_large(contents))
                file.write(part)
            # A temporary file is readable by its owner only; the page is made to be handed out.
            partial.chmod(0o644)
    except RecordError as error:
        raise PageError(str(error)) from error


def _too_large(contents: Contents) -> str:
    """Return the sentence on a file that would be too large, with its largest part."""
    most = f"more than {MOST_BYTES / 1e6:.0f} MB"
    recording = len(contents.get(RECORDING_FILE, b""))
    if recording <= max((len(content) for name, content in contents.items() if name != RECORDING_FILE), default=0):
        return f"A single file of this checkpoint would have {most}; leave out --single-file to write a folder."
    return (
        f"A single file with this recording of {recording / 1e6:.0f} MB would have {most}. Write a folder, with "
        "ai-widgets page OUT --recording TALK.aiw, or record.to_html(path), whose audio is compressed."
    )


def parts(contents: Contents) -> Iterator[bytes]:
    """Yield the document piece by piece, so that only one embedded file is in memory in base64."""
    document, script, style = (_text(contents, name) for name in (INDEX_FILE, SCRIPT_FILE, STYLE_FILE))
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_digest(script)}' blob: 'wasm-unsafe-eval'",
            "worker-src blob:",
            "connect-src blob: data:",
            f"style-src '{_digest(style)}'",
            "media-src blob:",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    document = substitute(document, POLICY, f'<meta http-equiv="Content-Security-Policy" content="{policy}">')
    document = substitute(document, re.compile(re.escape(STYLE_LINK)), f"<style>{style}</style>")
    before, after = _split(document, SCRIPT_LINK)
    yield before.encode("utf-8")
    for name, content in contents.items():
        if name not in INLINE:
            packed = b64encode(gzip.compress(content, 9, mtime=0))
            yield f'<script type="text/plain" data-aiw-file="{escape(name)}">'.encode() + packed + b"</script>\n"
    yield f"<script>{script}</script>{after}".encode()


def _text(contents: Contents, name: str) -> str:
    text = contents[name].decode("utf-8")
    # The build keeps these out of script and style sheet, which a later change would end early.
    if name != INDEX_FILE and ("</script" in text.lower() or "</style" in text.lower() or "<!--" in text):
        raise PageError(f"The page's file {name} cannot be part of an HTML page; run `make` to build it again.")
    return text


def _split(document: str, element: str) -> tuple[str, str]:
    if document.count(element) != 1:
        raise PageError(f"The page's document has no place for {element}; run `make` to build it again.")
    before, after = document.split(element)
    return before, after


def _digest(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"
