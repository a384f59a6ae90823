"""`to_html`: a record as one HTML file that carries the engine, so that it can be run on offline.

`record.to_html` writes a viewer; a record knows no model, and its room imports none. This module is above both: it
exports the model (`model.onnx`), and puts the recording into the single file of the page.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from ..errors import PageError, SessionError, printable
from ..inference import load_model
from ..model.fingerprint import fingerprint
from ..model.interfaces import LanguageModel
from ..model.onnx.graphs import require_onnx
from ..record.record import SessionRecord
from ..record.save import save
from ..session.replay import check_rerun
from .contents import contents
from .files import EMBEDDED, RECORDING_FILE, built
from .single_file import check_single_file, write_single_file

WITHOUT = "record.to_html(path) writes a page without the engine"
"""What is possible with every record, for the sentence of a refusal."""


def to_html(
    record: SessionRecord,
    path: str | Path,
    *,
    model: LanguageModel | None = None,
    title: str | None = None,
    step_done: Callable[[], object] | None = None,
) -> Path:
    """Write a record as one HTML file with its model in it: it opens from disk, offline, and can be run on there.

    The page shows the recording; a chunk that is selected can be run on with another decision, setting or sound, and
    new audio begins a session. `record.to_html` writes the smaller page that only shows and plays (1 MB and MP3); this
    one has the runtime and the weights (15 MB with the embedded checkpoint) and the exact audio.

    Parameters
    ----------
    record
        Record of one session, with all its audio. It may go on; the page has what it holds now.
    path
        File to write. An existing one is replaced at once, never half written.
    model
        Model that made the record; None for the embedded checkpoint.
    title
        Title, as plain text; None for one with the model's name.
    step_done
        Called after each step of the export; see `model.onnx.export.STEPS`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    PageError
        If the record is a policy's or another model's, cannot be heard again, or the file cannot be written or would be
        larger than `single_file.MOST_BYTES`.
    ExportError, MissingPackageError
        If the model is too large for a page or cannot be exported; see `model.onnx.export.export`.

    Examples
    --------
    >>> with model.session(seed=1) as session:
    ...     session.play("talk.wav")
    >>> aiw.page.to_html(session.record, "talk.html")
    """
    target = Path(path)
    check_single_file(target)
    built()
    require_onnx()
    made_by = check_record(record, model)
    with tempfile.TemporaryDirectory(prefix="aiw-page-") as folder:
        # The audio as it arrived is not needed: the page hears what the model heard.
        talk = save(record, Path(folder) / RECORDING_FILE, raw=False)
        found = contents(made_by, talk, title=title, step_done=step_done)
    write_single_file(found, target)
    return target


def check_record(record: SessionRecord, model: LanguageModel | None = None) -> LanguageModel:
    """Return the model that made a record, the embedded checkpoint by default; raises a `PageError` as `to_html`."""
    about = record.header.model
    name = printable(str(about.get("name") or "an unknown model"))
    if about.get("kind") == "policy":
        raise PageError(f"The record is of the policy {name}, which the engine of a page does not have; {WITHOUT}.")
    try:
        check_rerun(record)
    except SessionError as error:
        raise PageError(f"{error} Its page would have nothing to run on; {WITHOUT}.") from error
    made_by = load_model(EMBEDDED, "cpu", "float32", progress=False) if model is None else model
    if about.get("fingerprint") == fingerprint(made_by):
        return made_by
    way = "Give the model that made it: page.to_html(record, path, model=model)" if model is None else "Give that one"
    raise PageError(f"The record was made with {name}, whose weights are not those of {made_by.name}. {way}.")
