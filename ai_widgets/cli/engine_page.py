"""Option ``--engine``: the page of a run has its model in it (`page.hand_out`)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import SettingError
from ..record.record import SessionRecord
from ..session.listening import ListeningModel


def check_engine(given: argparse.Namespace) -> None:
    """Check, before a model is loaded, that a page with the engine can be written.

    Raises
    ------
    SettingError
        If there is no page, or a policy decides.
    PageError, MissingPackageError
        If the front end was not built, or the extra `page` is not installed.
    """
    if given.html is None:
        raise SettingError("--engine puts the model into the page of --html; give its name: --html talk.html --engine.")
    if given.policy is not None:
        raise SettingError("--engine cannot be given with --policy: a policy is not in the engine of a page.")
    from ..model.onnx.graphs import require_onnx
    from ..page.files import built
    from ..page.single_file import check_single_file

    check_single_file(Path(given.html))
    built()
    require_onnx()


def check_model(model: ListeningModel) -> None:
    """Check, before anything is heard, that a model can be in a page; raises an `ExportError`."""
    from ..model.onnx.export import check_exportable

    if model.language is not None:
        check_exportable(model.language)


def write_page(record: SessionRecord, model: ListeningModel, given: argparse.Namespace) -> None:
    """Write the page of `--html`, with `--engine` the model in it; raises what `to_html` raises."""
    if not given.engine:
        record.to_html(given.html)
        return
    from ..page.hand_out import to_html

    path = to_html(record, given.html, model=model.language)
    print(
        f"{path} ({path.stat().st_size / 1e6:.1f} MB) can be run on in a browser, without a network.", file=sys.stderr
    )
