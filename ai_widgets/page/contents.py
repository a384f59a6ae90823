"""Content of a page for one checkpoint: front end, runtime, exported model and clips."""

from __future__ import annotations

import json

from ..model.interfaces import LanguageModel
from ..model.onnx.export import export
from .files import (
    CREDITS_FILE,
    MODEL_FOLDER,
    SERVICE_WORKER_FILE,
    Contents,
    built,
    clips,
    embedded_credits,
    version_of,
)

EMBEDDED = "tiny"
"""Name of the embedded checkpoint, whose credits a page contains."""


def contents(model: LanguageModel) -> dict[str, bytes]:
    """Export a model, and return all files of its page by name; the service worker knows all others.

    Raises
    ------
    PageError
        If the front end was not built.
    ExportError, MissingPackageError
        If the model cannot be exported; see `model.onnx.export.export`.
    """
    # The build is read first: its absence is reported before an export of several seconds.
    found = {**built(), **clips()}
    found |= {f"{MODEL_FOLDER}/{name}": content for name, content in export(model).items()}
    if model.name == EMBEDDED:
        found[f"{MODEL_FOLDER}/{CREDITS_FILE}"] = embedded_credits()
    found[SERVICE_WORKER_FILE] = _service_worker(found)
    return found


def _service_worker(contents: Contents) -> bytes:
    """Put the list of the files, and a version that changes with each of them, before the service worker's script."""
    kept = sorted(name for name in contents if name != SERVICE_WORKER_FILE)
    facts = {"version": version_of(contents), "files": kept}
    return f"const SITE = {json.dumps(facts)};\n".encode() + contents[SERVICE_WORKER_FILE]
