"""Branches in the widget: started in the inspector and in the replay bar, compared under the original, and closed."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .axe import grave_findings
from .conftest import OpenNotebook
from .models import WIDGET
from .sounds import SPEECH
from .test_narrow import NARROW, expect_all_within_reach

PLAY = f"w.play({str(SPEECH)!r})"
WIDTHS = {"light": (None, False), "dark": (None, True), "narrow": (340, False)}


@pytest.mark.parametrize(("width", "dark"), WIDTHS.values(), ids=WIDTHS)
def test_branches_are_made_compared_and_closed(open_notebook: OpenNotebook, width: int | None, dark: bool) -> None:
    notebook = open_notebook([WIDGET, PLAY], dark=dark)
    notebook.run_all()
    notebook.wait_count("turns", 2)
    notebook.look(1280, 1600, dark=dark)
    widget = notebook.widget.first
    if width is not None:
        notebook.page.evaluate(NARROW, width)
    expect(widget.get_by_test_id("branch")).to_have_count(0)

    # From the inspector: silent where the model spoke.
    replies = widget.get_by_test_id("turn")
    replies.first.locator(".aiw-turn-time").click()
    widget.get_by_test_id("run-on-silent").click()
    first = widget.locator("[data-testid=branch][data-branch='1']")
    expect(first).to_have_attribute("data-state", "done")
    expect(first.get_by_test_id("branch-said")).to_contain_text("speak → silent")
    compared = widget.locator("[data-testid=compare][data-branch='1'] tbody tr").first
    expect(compared.locator("td").nth(1)).to_have_text("silent")

    # From the replay bar: a span, with the values of the what-if panel.
    summary = widget.get_by_test_id("what-if").locator("summary")
    summary.scroll_into_view_if_needed()
    summary.click()
    widget.get_by_test_id("what-if-bias").fill("8")
    surface = widget.get_by_role("slider", name="Timeline of chunks")
    surface.focus()
    notebook.page.keyboard.press("Home")
    notebook.page.keyboard.press("[")
    for _ in range(8):
        notebook.page.keyboard.press("ArrowRight")
    notebook.page.keyboard.press("]")
    widget.get_by_test_id("run-again").click()
    second = widget.locator("[data-testid=branch][data-branch='2']")
    expect(second).to_have_attribute("data-state", "done")
    expect(second.locator("header")).to_contain_text("bias 8")
    last = notebook.ask("int(w.branches[1].record.decisions['chunk'].max())")
    assert last == notebook.ask("w.branches[1].change.until") == 8

    assert grave_findings(notebook.page) == []
    if width is not None:
        expect_all_within_reach(notebook.page)
    notebook.shot(f"branches-{'narrow' if width is not None else 'dark' if dark else 'light'}")
    # With the keyboard: to the first difference, and closed.
    first.get_by_test_id("branch-next").press("Enter")
    expect(widget.get_by_test_id("inspector").get_by_test_id("run-on-here")).to_contain_text("branch 1")
    first.get_by_test_id("branch-close").press("Enter")
    expect(widget.get_by_test_id("branch")).to_have_count(1)
    assert notebook.ask("len(w.branches)") == 1
    assert notebook.errors() == []
