"""Replaying a session in the widget, with the sound that the kernel keeps, and asking what another rule had decided."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from .axe import grave_findings
from .conftest import OpenNotebook
from .models import WIDGET
from .sounds import SPEECH

PLAY = f"w.play({str(SPEECH)!r})"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_session_is_replayed_and_asked_what_if(open_notebook: OpenNotebook, dark: bool) -> None:
    notebook = open_notebook([WIDGET, PLAY], dark=dark)
    notebook.run_cell(0)
    widget = notebook.widget.first
    expect(widget.get_by_test_id("replay")).to_have_count(0)
    notebook.run_cell(1)
    notebook.wait_count("turns", 2)
    play = widget.get_by_test_id("replay-play")
    play.click()
    expect(widget.get_by_test_id("replay-position").locator("b")).to_have_text(re.compile(r"0:0[1-9]\.\d"))
    expect(widget.get_by_test_id("replay-said")).to_be_empty()
    play.click()
    expect(play).to_contain_text("Play")
    # Over the seam of two clips.
    widget.get_by_role("slider", name="Timeline of chunks").focus()
    notebook.page.keyboard.press("Home")
    for _ in range(19):
        notebook.page.keyboard.press("ArrowRight")
    notebook.page.keyboard.press("Space")
    expect(widget.get_by_test_id("replay-position").locator("b")).to_have_text(re.compile(r"0:0[89]\.\d|0:1\d\.\d"))
    notebook.page.keyboard.press("Space")
    widget.get_by_test_id("what-if").locator("summary").click()
    widget.get_by_test_id("what-if-bias").fill("8")
    expect(widget.get_by_test_id("what-if-result")).to_contain_text("decisions would be different")
    assert grave_findings(notebook.page) == []
    notebook.shot("replay-dark" if dark else "replay")
