"""Each microphone problem has its own sentence and leaves the widget usable."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from .conftest import OpenNotebook
from .page import Notebook

WIDGET = "import ai_widgets as aiw\nw = aiw.AudioInteraction()\nw"


def press_record(notebook: Notebook, expected: str) -> None:
    """Press Record and expect a problem that says so, here and in the kernel."""
    notebook.run_cell(0)
    notebook.button("record").click()
    expect(notebook.widget.get_by_role("alert")).to_contain_text(re.compile(expected, re.IGNORECASE))
    expect(notebook.widget.first).to_have_attribute("data-state", "error")
    notebook.wait_for_answer("w.state", "error")
    # A file still works.
    expect(notebook.button("file")).to_be_enabled()


def test_permission_denied(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET], allow=False, deny=True)
    press_record(notebook, "permission|blocked|denied|not allowed")
    notebook.shot("problem-denied")


def test_no_microphone(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET], device=False)
    press_record(notebook, "no microphone")
    notebook.shot("problem-no-device")


def test_insecure_origin(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET], host="nb.example")
    press_record(notebook, "https|localhost|secure")
    notebook.shot("problem-insecure")
