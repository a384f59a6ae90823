"""``ai-widgets show``: a recording as a page in the browser."""

from __future__ import annotations

import argparse
import tempfile
import webbrowser
from pathlib import Path

from ..errors import printable
from ..record.record import SessionRecord


def show_recording(given: argparse.Namespace) -> int:
    """Export a recording to a temporary page, open the page in the browser, and return the exit code.

    The page stays in the system's folder for temporary files, since the browser reads it after the command has ended.

    Raises
    ------
    RecordError
        If the recording cannot be read.
    """
    record = SessionRecord.load(given.recording)
    folder = Path(tempfile.mkdtemp(prefix="aiw-page-"))
    page = folder / f"{Path(given.recording).stem}.html"
    record.to_html(page, title=given.title or Path(given.recording).stem)
    opened = not given.no_browser and webbrowser.open(page.as_uri())
    print(f"{'Opened' if opened else 'Open this page in a browser:'} {printable(str(page))}")
    return 0
