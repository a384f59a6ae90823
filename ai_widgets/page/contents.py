"""Content of a page for one checkpoint: front end, runtime, exported model and clips."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import escape
from pathlib import Path

from ..errors import PageError, printable
from ..model.fingerprint import fingerprint
from ..model.interfaces import LanguageModel
from ..model.onnx.export import export
from ..record.html import heading_of, text_of
from ..record.record import SessionRecord
from .files import (
    CREDITS_FILE,
    EMBEDDED,
    INDEX_FILE,
    MODEL_FOLDER,
    RECORDING_FILE,
    SERVICE_WORKER_FILE,
    Contents,
    built,
    clips,
    embedded_credits,
    substitute,
    version_of,
)

TITLE = re.compile(r"<title>[^<]*</title>")
"""Title of the document, in whose place a recording has its own."""
MAIN = re.compile(r'<main id="aiw-page">.*?</main>', re.DOTALL)
"""Element of the document that the page draws in, with what it shows until then."""


def contents(
    model: LanguageModel,
    recording: Path | None = None,
    *,
    title: str | None = None,
    step_done: Callable[[], object] | None = None,
) -> dict[str, bytes]:
    """Export a model, and return all files of its page by name; the service worker knows all others.

    Parameters
    ----------
    model
        See `model.onnx.export.export`.
    recording
        Recording of this model (`record.save`), which the page shows when it is opened; None for an empty session.
    title
        Title of a page with a recording, as plain text; None for one with the model's name.
    step_done
        Called after each step of the export.

    Raises
    ------
    PageError
        If the front end was not built, or the recording is of another model.
    RecordError
        If the recording cannot be read.
    ExportError, MissingPackageError
        If the model cannot be exported; see `model.onnx.export.export`.
    """
    # The build is read first: its absence is reported before an export of several seconds.
    found = {**built(), **clips()}
    if recording is not None:
        record = check_recording(model, recording)
        found[RECORDING_FILE] = recording.read_bytes()
        found[INDEX_FILE] = _with_recording(found[INDEX_FILE], record, title)
    found |= model_files(model, step_done)
    found[SERVICE_WORKER_FILE] = _service_worker(found)
    return found


def model_files(model: LanguageModel, step_done: Callable[[], object] | None = None) -> dict[str, bytes]:
    """Export a model, and return its files by their name in a page; raises what `model.onnx.export.export` raises."""
    found = {f"{MODEL_FOLDER}/{name}": content for name, content in export(model, step_done).items()}
    if model.name == EMBEDDED:
        found[f"{MODEL_FOLDER}/{CREDITS_FILE}"] = embedded_credits()
    return found


def check_recording(model: LanguageModel, recording: Path) -> SessionRecord:
    """Read a recording, which a page of `model` can run on; raises what `contents` raises."""
    if recording.is_dir():
        raise PageError(f"{recording} is a folder; a page takes a recording in one file, as record.save writes it.")
    record = SessionRecord.load(recording)
    about = record.header.model
    if about.get("fingerprint") != fingerprint(model):
        name = printable(str(about.get("name") or "an unknown model"))
        raise PageError(
            f"{recording} was recorded with {name}, whose weights are not those of {model.name}; name its checkpoint "
            "with --checkpoint."
        )
    return record


def _with_recording(document: bytes, record: SessionRecord, title: str | None) -> bytes:
    """Put a recording's title and its replies as text into the document; without scripts they remain."""
    text, heading = document.decode("utf-8"), heading_of(record, title)
    inside = f'<main id="aiw-page" data-recording="{RECORDING_FILE}">{text_of(record, heading)}</main>'
    for pattern, element in ((TITLE, f"<title>{escape(heading)}</title>"), (MAIN, inside)):
        text = substitute(text, pattern, element)
    return text.encode("utf-8")


def _service_worker(contents: Contents) -> bytes:
    """Put the list of the files, and a version that changes with each of them, before the service worker's script."""
    kept = sorted(name for name in contents if name != SERVICE_WORKER_FILE)
    facts = {"version": version_of(contents), "files": kept}
    return f"const SITE = {json.dumps(facts)};\n".encode() + contents[SERVICE_WORKER_FILE]
