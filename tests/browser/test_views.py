"""The three views: each fits any width in both themes, and a person chooses among them once."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from . import sounds
from .axe import grave_findings
from .conftest import OpenNotebook
from .models import WIDGET
from .test_narrow import NARROW, expect_all_within_reach

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
            expect_all_within_reach(notebook.page)
            if width > 300:
                notebook.shot(f"view-{view}-{width}-{theme}")
        assert grave_findings(notebook.page) == []
    notebook.page.evaluate("() => localStorage.clear()")


def test_the_tour_works_without_a_microphone(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET], device=False)
    notebook.run_cell(0)
    widget = notebook.widget.first
    tour, happened, onward = (widget.get_by_test_id(name) for name in ("tour", "tour-happened", "tour-next"))
    expect(widget.get_by_test_id("model")).to_contain_text("tiny ·")
    notebook.button("tour-take").click()
    expect(tour.get_by_role("heading")).to_be_focused()
    notebook.shot("tour-silence")
    assert grave_findings(notebook.page) == []
    notebook.button("tour-clip").click()
    expect(happened).to_contain_text("KEEP_SILENCE")
    onward.click()
    notebook.button("tour-clip").click()
    expect(happened).to_contain_text("is loud")
    onward.click()
    expect(happened).to_contain_text("TEXT_BEGIN and said")
    onward.click()
    notebook.page.evaluate(NARROW, 300)
    expect_all_within_reach(notebook.page)
    notebook.page.evaluate(NARROW, 800)
    widget.get_by_test_id("turn").first.locator("button").first.click()
    expect(happened).to_contain_text("p(TEXT_BEGIN) was")
    notebook.shot("tour-why")
    onward.click()
    widget.get_by_test_id("what-if").locator("summary").click()
    widget.get_by_test_id("what-if-bias").fill("-8")
    expect(happened).to_contain_text("decisions would be different")
    notebook.shot("tour-change")
    notebook.page.keyboard.press("Escape")
    onward.focus()
    notebook.page.keyboard.press("Escape")
    expect(tour).to_have_count(0)
    expect(notebook.button("tour-button")).to_be_focused()


def test_the_whole_screen(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(['import ai_widgets as aiw\nw = aiw.AudioInteraction(view="show")\nw'])
    notebook.run_cell(0)
    expect(notebook.widget.first).to_have_attribute("data-view", "show")
    expect(notebook.widget.first.get_by_test_id("show-state")).to_contain_text("Ready")
    notebook.button("fullscreen").click()
    expect(notebook.button("fullscreen")).to_have_attribute("aria-pressed", "true")
    assert notebook.page.evaluate("document.fullscreenElement.dataset.testid") == "aiw"
    notebook.shot("fullscreen", widget=False)
    notebook.button("fullscreen").click()
    expect(notebook.button("fullscreen")).to_have_attribute("aria-pressed", "false")
