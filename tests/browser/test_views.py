"""The three views: each fits any width in both themes, and a person chooses among them once."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from . import sounds
from .axe import grave_findings
from .conftest import OpenNotebook
from .models import WIDGET
from .test_narrow import NARROW, OUT_OF_REACH

WIDTHS = (300, 390, 640, 1280)
VIEWS = ("show", "explore", "teach")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_each_view_fits_any_width(open_notebook: OpenNotebook, dark: bool) -> None:
    notebook = open_notebook([WIDGET, f"w.play({str(sounds.SPEECH)!r})"], width=1750, dark=dark)
    notebook.run_cell(0)
    widget = notebook.widget.first
    theme = "dark" if dark else "light"
    expect(widget.get_by_test_id("model")).to_contain_text("tiny ·")
    for view in VIEWS:
        notebook.button(f"view-{view}").click()
        expect(widget).to_have_attribute("data-view", view)
        assert grave_findings(notebook.page) == []
        notebook.shot(f"view-{view}-empty-{theme}")
    notebook.run_cell(1)
    notebook.wait_count("turns", 2)
    for view in VIEWS:
        notebook.button(f"view-{view}").click()
        expect(widget).to_have_attribute("data-view", view)
        if view == "teach":
            notebook.button("step-begin").click()
            expect(widget.get_by_test_id("predictor")).to_be_visible()
        for width in WIDTHS:
            notebook.page.evaluate(NARROW, width)
            expect(widget).to_have_css("width", f"{width}px")
            assert notebook.page.evaluate(OUT_OF_REACH) == [], (view, width)
            if width > 300:
                notebook.shot(f"view-{view}-{width}-{theme}")
        assert grave_findings(notebook.page) == []
    notebook.page.evaluate("() => localStorage.clear()")
