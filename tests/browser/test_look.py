"""The quick-start notebook as a newcomer runs it, and the widget in dark and narrow cells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from . import sounds
from .conftest import OpenNotebook

NOTEBOOK = Path(__file__).parent.parent.parent / "notebooks" / "01_quickstart.ipynb"
WIDGET = "import ai_widgets as aiw\nw = aiw.AudioInteraction(greedy=True)\nw"


def test_the_quickstart_runs_from_top_to_bottom(open_notebook: OpenNotebook) -> None:
    cells = ["".join(c["source"]) for c in json.loads(NOTEBOOK.read_text())["cells"] if c["cell_type"] == "code"]
    notebook = open_notebook(cells)
    for index in range(len(cells)):
        notebook.run_cell(index)
    assert notebook.errors() == []
    decided = notebook.ask("len(w.record.decisions)")
    assert decided > 10
    notebook.wait_count("decisions", decided)
    notebook.shot("quickstart", widget=False)


def test_a_chunks_numbers_are_those_of_the_record(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET, f"w.play({str(sounds.SPEECH)!r})"])
    notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.wait_count("turns", 2)
    chunk, p_text, p_keep = notebook.ask("[(d.chunk, d.p_text, d.p_keep) for d in w.record.of_type(aiw.Decision)][-1]")
    notebook.widget.first.get_by_role("slider").focus()
    notebook.page.keyboard.press("End")
    notebook.page.keyboard.press("Enter")
    detail = notebook.widget.first.get_by_test_id("inspector")
    expect(detail).to_have_attribute("data-chunk", str(chunk))
    for p in (p_text, p_keep):
        expect(detail).to_contain_text(f"{p:.4f}" if p >= 0.00005 else f"{p:.1e}")
    detail.get_by_role("button", name="exact").click()
    expect(detail).to_contain_text(repr(p_text))
    expect(detail).to_contain_text(repr(p_keep))
    notebook.shot("chunk")


@pytest.mark.parametrize(("name", "width", "dark"), [("dark", 1280, True), ("narrow", 760, False)])
def test_screenshots(open_notebook: OpenNotebook, name: str, width: int, dark: bool) -> None:
    notebook = open_notebook([WIDGET, f"w.play({str(sounds.SPEECH)!r})"], width=width, dark=dark)
    notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.wait_count("turns", 2)
    notebook.shot(name)
    # Nothing sticks out of the cell.
    assert notebook.widget.first.evaluate("element => element.scrollWidth <= element.clientWidth")
